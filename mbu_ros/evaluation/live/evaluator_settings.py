# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The evaluator's parameters."""

from __future__ import annotations

PARAMETERS = {
    'bag': ('', 'Folder or file of the rosbag2 that is played.'),
    'image_topics': ([''], 'Its cameras; empty: all.'),
    'label_topics': (
        [''], 'Labels (mono8) of these in the same order, none for a camera without; empty: those '
        'found.'
    ),
    'cameras': ([''], "The node's names of them, in the same order; empty: see name_cameras."),
    'label_tolerance_ms': (0.0, "How far a label's stamp may be from its image's."),
    'node': ('segment', 'Name of the segment node, with its namespace if it has one.'),
    'model': ('', "Model whose classes the masks have; empty: the node's, by its diagnostics."),
    'against': ('', 'Another model, whose masks of the same images are compared.'),
    'boundary': ([1, 3, 5], 'Tolerances of the boundary F1 in pixels; 0: not measured.'),
    'resume': ('', 'Service that starts the player; empty: it starts by itself.'),
    'ends': ('', 'Folder in which the end of node and player is noted, see endings.'),
    'source': ('', "What is played, for the report; empty: the bag's name."),
    'configuration': ('{}', 'JSON object, for the report: how the run was asked for.'),
    'report': ('', 'Folder for the report; empty: none.'),
    'json': ('', 'File for the report as JSON; empty: none.'),
    'save_masks': ('', 'Folder for every mask as TOPIC/STAMP.png; empty: none.'),
    'write_bag': ('', 'A copy of the bag to make, with masks and overlays; empty: none.'),
    'min_miou': (-1.0, 'Least mean IoU, 0 to 1, that is no failure; negative: any.'),
    'max_p95_ms': (-1.0, 'Greatest 95th percentile of the latency; negative: any.'),
    'max_drop': (-1.0, 'Greatest share of dropped frames, 0 to 1; negative: any.'),
    'start_timeout': (180.0, 'Seconds for node and player to come.'),
    'idle_timeout': (10.0, 'Seconds without any message after which it ends.'),
}
"""Default and description of each."""
