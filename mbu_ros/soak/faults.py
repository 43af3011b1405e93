# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a soak fails for, in words."""

from __future__ import annotations

from collections.abc import Mapping

from mbu_ros.soak.judgement import Verdict
from mbu_ros.soak.quantities import QUANTITIES


def growth_faults(verdicts: Mapping[str, Verdict]) -> list[str]:
    """A sentence for each quantity that grows."""
    return [
        f'{quantity.title} grew by {f"{verdict.growth:.3g} {quantity.unit}".strip()} after the '
        f'warm-up; {verdict.limit:.3g} is allowed'
        for quantity in QUANTITIES
        if (verdict := verdicts.get(quantity.key)) and verdict.grows
    ]


def frame_faults(frames: Mapping[str, int], node: Mapping[str, str]) -> list[str]:
    """A sentence for each way in which frames came to nothing.

    Frames that the node left out because a newer one came are no loss: they are what it promises
    to a camera that is faster than the engine. With a camera that waits there are none.

    Args:
        frames: 'sent', 'answered' and 'lost', as the camera counted them.
        node: values of the node's diagnostics of its frames.
    """
    if not frames['answered']:
        return ['no mask came']
    superseded = int(node.get('Frames dropped (superseded)', 0))
    faults = []
    if frames['lost'] > superseded:
        faults.append(f'{frames["lost"] - superseded} of {frames["sent"]} frames came to nothing')
    for reason in ('bad', 'engine'):
        count = int(node.get(f'Frames dropped ({reason})', 0))
        if count:
            faults.append(f'the node dropped {count} frames ({reason})')
    if int(node.get('Frames lost (middleware)', 0)):
        faults.append(f'the middleware lost {node["Frames lost (middleware)"]} frames')
    return faults
