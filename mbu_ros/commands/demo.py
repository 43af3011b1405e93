# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the whole path on this machine: a bag is played through the node and its masks evaluated.

Player, node and evaluator are processes of their own that talk over DDS. Without an input of your
own, it plays generated street scenes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from mbu_ros.bags.playback import MODES, check_rate
from mbu_ros.commands.bag import write_bag
from mbu_ros.data.sources import Source, folder_source, scene_source, video_source
from mbu_ros.engine.select import ENGINES
from mbu_ros.errors import InputError
from mbu_ros.evaluation.live.live_run import LiveRun
from mbu_ros.evaluation.live.processes import LiveRunError
from mbu_ros.evaluation.live.run import LOG_FOLDER, check_run, run_live
from mbu_ros.evaluation.report.screen import print_report

SCENES = 60
MARKER = '.made_by_mbu_demo'
"""File in a bag that the next demonstration may replace."""
MAX_FRAMES = 200
"""Of a video or folder: a demonstration should neither take long nor fill the disk."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `mbu demo`."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--bag', type=Path, metavar='PATH', help='a rosbag2 of your own')
    source.add_argument('--video', type=Path, metavar='FILE', help='a video of your own')
    source.add_argument('--images', type=Path, metavar='DIR', help='a folder of images of your own')
    source.add_argument(
        '--scenes',
        type=int,
        default=SCENES,
        metavar='N',
        help=f'N generated street scenes of 320x240 at 10 Hz (default: {SCENES})',
    )
    parser.add_argument(
        '--limit',
        type=int,
        default=MAX_FRAMES,
        metavar='N',
        help=f'at most N frames of --video or --images (default: {MAX_FRAMES})',
    )
    parser.add_argument(
        '--model',
        default='synthetic',
        metavar='NAME_OR_PATH',
        help='a shipped model or a file (default: %(default)s)',
    )
    parser.add_argument('--engine', choices=ENGINES, default='auto')
    parser.add_argument(
        '--image-topic',
        action='append',
        metavar='TOPIC',
        help='images of --bag; again for each further camera (default: all cameras)',
    )
    parser.add_argument(
        '--label-topic', action='append', metavar='TOPIC', help='labels of each of these cameras'
    )
    parser.add_argument(
        '--mode',
        choices=MODES,
        help='recorded: at the rate of the bag, so frames may be dropped (default). fixed: --rate '
        'images a second. acknowledged: each image when the mask of the one before has come '
        '(default for --images, which are no film)',
    )
    parser.add_argument('--rate', type=float, default=10.0, metavar='HZ', help='of --mode fixed')
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('demo_output'),
        metavar='DIR',
        help='for all that is made (default: %(default)s)',
    )


def run(args: argparse.Namespace) -> int:
    """Make the bag where needed, run everything, show the report and where the pictures are."""
    if args.limit < 1:
        raise InputError(f'--limit is {args.limit}; it must be at least 1')
    check_rate(args.rate)
    check_run(args.model)  # before anything is made
    console = Console()
    bag, source = (args.bag, '') if args.bag else _make_bag(args)
    started = time.time()
    live = LiveRun(
        bag=bag,
        model=args.model,
        report=args.out,
        engine=args.engine,
        mode=args.mode or ('acknowledged' if args.images else 'recorded'),
        rate_hz=args.rate,
        image_topics=args.image_topic or (),
        label_topics=args.label_topic or (),
        source=source,
    )
    try:
        with console.status('Playing the bag through the node'):
            report = run_live(live)
    except LiveRunError as error:
        print(f'mbu: {error}', file=sys.stderr)
        return 1
    print_report(report, console)
    if report['frames_dropped'] > report['frames_out']:
        console.print(
            'Most frames were dropped: the model is slower here than the camera. '
            '`mbu demo --mode acknowledged` waits for each.'
        )
    for path in sorted(args.out.iterdir()):
        if path.is_file() and path.stat().st_mtime >= started:
            print(path)
    print(f'{args.out / LOG_FOLDER} (what node, player and evaluator said)')
    return 0


def _make_bag(args: argparse.Namespace) -> tuple[Path, str]:
    """Path of a new bag, and what is in it."""
    source = _open_source(args)
    path = args.out / 'bag'
    if (path / MARKER).is_file() and not path.is_symlink():
        shutil.rmtree(path)
    write_bag(path, source)
    (path / MARKER).touch()
    return path, source.name


def _open_source(args: argparse.Namespace) -> Source:
    if args.video:
        return video_source(args.video, args.limit)
    if args.images:
        return folder_source(args.images, limit=args.limit)
    return scene_source(args.scenes)
