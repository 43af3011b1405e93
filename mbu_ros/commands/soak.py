# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the node at full rate for hours and watch whether it takes more and more of the machine.

A camera process plays a generated drive in a loop; memory, GPU memory, threads, file handles and
latency of the node are sampled. Writes samples.csv, soak.json and soak.png. Ends with 1 where
something grows after the first minutes, where a frame came to nothing, or where a signal stopped it
before its time; then it judges and writes what there is.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from mbu_ros.commands.arguments import DefaultsFormatter, count, size
from mbu_ros.engine.select import ENGINES
from mbu_ros.evaluation.live.interrupting import interrupt_on_signals
from mbu_ros.evaluation.report.report import write_json
from mbu_ros.model.catalog import find_model
from mbu_ros.model.file import load_model
from mbu_ros.soak.judgement import Verdict
from mbu_ros.soak.plot import plot
from mbu_ros.soak.quantities import QUANTITIES
from mbu_ros.soak.run import SHORTEST_SECONDS, SoakSettings, run_soak

LONGEST_HOURS = 1000.0
HIGHEST_RATE = 1000.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `mbu soak`."""
    parser.formatter_class = DefaultsFormatter
    parser.add_argument('--hours', type=_hours, default=0.5, help='how long')
    parser.add_argument(
        '--model', default='synthetic', metavar='NAME_OR_PATH', help='what the node runs'
    )
    parser.add_argument('--engine', choices=ENGINES, default='auto', help='what runs the model')
    parser.add_argument(
        '--size', type=size, default='640x480', metavar='WIDTHxHEIGHT', help='of the images'
    )
    parser.add_argument(
        '--rate',
        type=_rate,
        default=0.0,
        metavar='HZ',
        help='of the camera; 0: as fast as masks come back, each frame after the mask before it',
    )
    parser.add_argument(
        '--frames', type=count, default=40, metavar='N', help='in the drive that is played'
    )
    parser.add_argument(
        '--out', type=Path, default=Path('soak_output'), metavar='DIR', help='folder to write to'
    )


def run(args: argparse.Namespace) -> int:
    """Run it, print what was found and write the files; 1 where there are faults."""
    path = find_model(args.model)
    load_model(path)  # a bad one is said before the work
    interrupt_on_signals()
    console = Console(highlight=False)
    begin = time.monotonic()

    def say(what: str) -> None:
        console.print(f'{(time.monotonic() - begin) / 60:6.1f} min  {what}', markup=False)

    settings = SoakSettings(
        3600 * args.hours, str(path), args.engine, args.size, args.rate, args.frames, args.out
    )
    result = run_soak(settings, say)
    write_json(args.out / 'soak.json', result)
    verdicts = {key: Verdict(**found) for key, found in result['verdicts'].items()}
    _print(console, result, verdicts)
    picture = args.out / 'soak.png'
    height, width = args.size
    title = f'mbu soak, {path.stem}, {width}x{height}: {result["engine"]}'
    if not result['samples']:
        console.print('No picture: there is no sample', markup=False)
    elif plot(picture, title, result['samples'], verdicts, result['warm_up']):
        console.print(str(picture), markup=False)
    else:
        console.print("No picture: matplotlib is not installed; pip install 'mbu_ros[bench]'")
    return 1 if result['faults'] else 0


def _print(console: Console, result: dict, verdicts: dict[str, Verdict]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column('after the warm-up', no_wrap=True)
    for title in ('first', 'last', 'growth', 'limit', 'chance', ''):
        table.add_column(title, justify='right', no_wrap=True)
    for quantity in QUANTITIES:
        verdict = verdicts.get(quantity.key)
        title = f'{quantity.title} ({quantity.unit})' if quantity.unit else quantity.title
        if verdict is None:
            table.add_row(title, *['-'] * 5, 'not measured')
            continue
        numbers = (verdict.first, verdict.last, verdict.growth, verdict.limit)
        table.add_row(
            title,
            *(f'{number:.2f}' for number in numbers),
            f'{verdict.p:.3f}',
            'GROWS' if verdict.grows else 'ok',
        )
    console.print(table)
    frames = result['frames']
    if result['samples']:
        span = result['samples'][-1]['seconds']
        console.print(
            f'{result["engine"]}: {frames["sent"]} frames in {span / 60:.1f} min '
            f'({frames["answered"] / span:.1f} Hz), {frames["lost"]} lost',
            markup=False,
        )
    for fault in result['faults']:
        console.print(f'FAILED: {fault}', markup=False)
    if not result['faults']:
        console.print('passed: nothing grows, nothing was lost')


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not SHORTEST_SECONDS <= 3600 * hours <= 3600 * LONGEST_HOURS:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not a number of hours from {SHORTEST_SECONDS / 3600:.4f} '
            f'({SHORTEST_SECONDS:.0f} s, since less tells nothing) to {LONGEST_HOURS:.0f}'
        )
    return hours


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 <= rate <= HIGHEST_RATE:
        raise argparse.ArgumentTypeError(f'{text!r} is not a rate from 0 to {HIGHEST_RATE:.0f} Hz')
    return rate
