# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a live run is to do, and what follows from it for the parameters of its processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mbu_ros.bags.cameras import choose_cameras
from mbu_ros.bags.playback import check_rate
from mbu_ros.errors import InputError
from mbu_ros.evaluation.boundary import TOLERANCES
from mbu_ros.evaluation.live.cameras import NO_LABELS, LiveCamera, name_cameras
from mbu_ros.evaluation.report.thresholds import Thresholds
from mbu_ros.model.catalog import find_model

NODE = 'segment'
"""Name of the node that segments."""
ACK_TIMEOUT = 60.0
"""Seconds until a mask is given up in mode acknowledged: large models are slow without a GPU."""


@dataclass(frozen=True)
class LiveRun:
    """What to run.

    Attributes:
        bag: path of the bag to play.
        model: name of a shipped model, or a model file; '' for that of `params_file`.
        report: folder for report, pictures and logs, made where missing; None: no such folder.
        engine: as for the node; '' for that of `params_file`.
        mode: as for the player: 'recorded' (at `speed`), 'fixed' (with `rate_hz`) or
            'acknowledged'.
        speed: factor on the speed at which the bag was recorded.
        rate_hz: images of the first camera per second in mode 'fixed'.
        image_topics, label_topics: which to use of the bag, see `choose_cameras`.
        cameras: their names in the node, see `name_cameras`.
        label_tolerance_ms: how far a label's stamp may be from its image's.
        boundary: tolerances of the boundary F1 in pixels; empty: not measured.
        params_file: further parameters of the node.
        reliability: of the node's subscription to images, so that what is dropped was dropped by
            the node; '' for that of `params_file`.
        against: another model, whose masks of the same images are compared.
        json: file for the report.
        save_masks: folder for every mask as PNG, see `MaskFiles`.
        write_bag: a copy of the bag to make, with masks and overlays.
        thresholds: that the report is to keep.
        source: what the bag holds, for the report; its name where empty.
    """

    bag: Path
    model: str
    report: Path | None = None
    engine: str = 'auto'
    mode: str = 'recorded'
    speed: float = 1.0
    rate_hz: float = 10.0
    image_topics: Sequence[str] = ()
    label_topics: Sequence[str] = ()
    cameras: Sequence[str] = ()
    label_tolerance_ms: float = 0.0
    boundary: Sequence[int] = TOLERANCES
    params_file: Path | None = None
    reliability: str = 'reliable'
    against: str | None = None
    json: Path | None = None
    save_masks: Path | None = None
    write_bag: Path | None = None
    thresholds: Thresholds = Thresholds()
    source: str = ''


def find_cameras(run: LiveRun) -> list[LiveCamera]:
    """The cameras of its bag, with their names in the node.

    Raises:
        InputError: the bag, or a topic or name, is unusable, or speed or rate are impossible.
    """
    check_rate(run.rate_hz)
    if not 0.01 <= run.speed <= 1000:  # NaN is not
        raise InputError(f'a speed of {run.speed:g} is not possible; it must be 0.01 to 1000')
    if run.params_file is not None and not run.params_file.is_file():
        raise InputError(f'{run.params_file}: no such file of parameters')
    return name_cameras(
        choose_cameras(run.bag, run.image_topics, run.label_topics), run.cameras
    )


def node_parameters(run: LiveRun, cameras: Sequence[LiveCamera]) -> dict[str, object]:
    """Parameters of the node beyond those of `params_file`, which they precede."""
    parameters: dict[str, object] = {
        'cameras': [camera.name for camera in cameras],
        'use_sim_time': True,
        # Nobody else configures it, and a node that cannot start has to end.
        'autostart': True,
        'retry_seconds': 0.0,
    }
    for name in ('engine', 'reliability'):
        if getattr(run, name):
            parameters[name] = getattr(run, name)
    if run.model:
        parameters['model'] = str(find_model(run.model))
    for camera in cameras:
        prefix = f'{camera.name}.' if camera.name else ''
        parameters[f'{prefix}transport'] = camera.transport
    return parameters


def player_parameters(run: LiveRun, cameras: Sequence[LiveCamera]) -> dict[str, object]:
    """Parameters of our own player."""
    topics = [camera.image_topic for camera in cameras]
    return {
        'bag': str(run.bag),
        'mode': run.mode,
        'speed': float(run.speed),
        'rate_hz': float(run.rate_hz),
        # A bag may also hold masks and diagnostics of a node that ran when it was recorded.
        'topics': topics,
        'image_topics': topics,
        'mask_topics': [camera.mask_topic for camera in cameras],
        'ack_timeout': ACK_TIMEOUT,
        'wait_subscribers': 2,  # node and evaluator
        'wait_timeout': 600.0,  # the evaluator gives up before
    }


def evaluator_parameters(
    run: LiveRun, cameras: Sequence[LiveCamera], ends: Path, *, resume: str = '', player: str = ''
) -> dict[str, object]:
    """Parameters of the evaluator.

    Args:
        run: what to do.
        cameras: of the node.
        ends: folder in which `endings.note_end` notes the end of node and player.
        resume: service that starts the player; '' where it starts by itself.
        player: what plays the bag, for the report.
    """
    limits = asdict(run.thresholds)
    configuration = {**_plain(asdict(run)), 'player': player}
    return {
        'bag': str(run.bag),
        'image_topics': [camera.image_topic for camera in cameras],
        # Those that it finds by itself are the same.
        'label_topics': [label or NO_LABELS for label in run.label_topics] or [''],
        'cameras': [camera.name for camera in cameras],
        'label_tolerance_ms': float(run.label_tolerance_ms),
        'node': NODE,
        'model': run.model and str(find_model(run.model)),
        'against': run.against or '',
        'boundary': list(run.boundary) or [0],
        'resume': resume,
        'ends': str(ends),
        'source': run.source,
        'configuration': json.dumps(configuration),
        'report': str(run.report or ''),
        'json': str(run.json or ''),
        'save_masks': str(run.save_masks or ''),
        'write_bag': str(run.write_bag or ''),
        **{name: -1.0 if limit is None else float(limit) for name, limit in limits.items()},
        'use_sim_time': True,
    }


def write_parameters(path: Path, node: str, parameters: Mapping[str, object]) -> None:
    """Write a file of parameters for a node; it precedes files that name no node ('/**').

    Raises:
        OSError: it cannot be written.
    """
    # JSON is YAML, in which a text stays a text whatever it looks like.
    content = {f'/{node}': {'ros__parameters': dict(parameters)}}
    path.write_text(json.dumps(content, ensure_ascii=False), encoding='utf-8')


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    """Options that were set, as JSON holds them."""
    found: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _plain(value)
        elif value not in (None, '', (), []):
            found[name] = str(value) if isinstance(value, Path) else value
    return found
