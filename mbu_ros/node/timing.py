# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the time of one frame went, as a message beside its mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.time import Time

TIMES = (
    'received',
    'wait',
    'decode',
    'engine',
    'resize',
    'network',
    'mask',
    'publish',
    'total',
)
"""Keys of `timing_message`, each followed by ' (ms)'.

received: from the frame's stamp to its arrival, on the node's clock; empty where that clock stands
    still (simulated time that nobody publishes).
wait, decode: from its arrival to its turn, without the decoding of a compressed image.
engine: from giving its batch to the engine to having the masks, transfers included.
resize, network, mask: the parts of that which the engine times itself; of a batch, an equal share.
publish: from there to the mask's publication, the other results of its batch included.
total: from arrival to the mask's publication.
"""


def timing_message(
    header: Any, name: str, camera: str, times: Mapping[str, float | None], batch: int
) -> DiagnosticArray:
    """Make the message of one frame.

    Args:
        header: of the frame.
        name: of the node.
        camera: its name; '' for one without.
        times: milliseconds, by `TIMES`.
        batch: number of frames that ran together.
    """
    values = [(f'{key} (ms)', _text(times.get(key))) for key in TIMES]
    values += [('batch size', str(batch)), ('camera', camera)]
    title = f'{name}: {camera} timing' if camera else f'{name}: timing'
    return DiagnosticArray(
        header=header,
        status=[
            DiagnosticStatus(
                level=DiagnosticStatus.OK,
                name=title,
                message=f'{_text(times.get("total"))} ms',
                hardware_id=camera,
                values=[KeyValue(key=key, value=value) for key, value in values],
            )
        ],
    )


def age_milliseconds(stamp: Any, now: Time) -> float | None:
    """From a stamp to now; None where the clock stands still."""
    if not now.nanoseconds:
        return None
    return (now.nanoseconds - stamp.sec * 1_000_000_000 - stamp.nanosec) * 1e-6


def _text(milliseconds: float | None) -> str:
    return '' if milliseconds is None else f'{milliseconds:.3f}'
