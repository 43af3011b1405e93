# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The table of `mbu bench --ros --cameras N`."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

PERCENTILES = ('p50', 'p95', 'p99')


def print_load(result: dict, console: Console) -> None:
    """Show what `ros_load.run_ros_load` returned."""
    settings, total = result['settings'], result['total']
    height, width = settings['size']
    console.print(
        f'{settings["cameras"]} cameras, {width}x{height} rgb8 at {settings["rate"]:g} Hz, '
        f'{result["engine"]}',
        markup=False,
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column('camera', no_wrap=True)
    for title in ('sent\nHz', 'masks\nHz', 'on the way\nlost', 'superseded', 'other\ndrops'):
        table.add_column(title, justify='right', no_wrap=True)
    for percentile in PERCENTILES:
        table.add_column(f'{percentile}\nms', justify='right', no_wrap=True)
    for camera in result['cameras']:
        received = camera['received']
        table.add_row(
            camera['name'],
            f'{camera["sent_hz"]:.1f}',
            f'{camera["masks_hz"]:.1f}',
            '' if received is None else str(camera['sent'] - received),
            '' if camera['superseded'] is None else str(camera['superseded']),
            str(sum(camera['dropped'].values())),
            *(_text(camera['latency_ms'][percentile]) for percentile in PERCENTILES),
        )
    console.print(table)
    fairness, cpu = total['fairness'], result['node']['cpu_percent']
    console.print(
        f'{total["masks_hz"]:.1f} masks a second of {total["sent_hz"]:.1f} frames sent and '
        f'{total["asked_hz"]:g} asked for; Jain\'s index '
        f'{"-" if fairness is None else f"{fairness:.4f}"}; node: '
        f'{"-" if cpu is None else f"{cpu:.0f}"} % of a core',
        markup=False,
    )
    console.print(
        'Milliseconds from a frame published to its mask received. Superseded: a newer frame of '
        'that camera came before its turn. Counts are of the whole run.'
    )


def _text(milliseconds: float | None) -> str:
    return '-' if milliseconds is None else f'{milliseconds:.1f}'
