# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make a rosbag2 of a data tree, images, a video or generated scenes."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from mbu_ros.bags.writer import FORMATS, STORAGES, BagWriter
from mbu_ros.commands.arguments import count, size
from mbu_ros.data.sources import (
    DEMO_SEED,
    Source,
    folder_source,
    scene_source,
    tree_source,
    video_source,
)
from mbu_ros.data.tree import SPLITS
from mbu_ros.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `mbu bag`."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        '--data',
        type=Path,
        metavar='ROOT',
        help='a data tree: ROOT/{train,val,test}/{images,labels} with ROOT/dataset.json',
    )
    source.add_argument('--images', type=Path, metavar='DIR', help='a folder of images')
    source.add_argument('--scenes', type=int, metavar='N', help='N generated street scenes')
    source.add_argument('--video', type=Path, metavar='FILE', help='a video, at its own rate')
    parser.add_argument('--split', choices=SPLITS, help='split of --data (default: val)')
    parser.add_argument('--labels', type=Path, metavar='DIR', help='labels of --images')
    parser.add_argument('--seed', type=int, help=f'of --scenes (default: {DEMO_SEED})')
    parser.add_argument(
        '--size', type=size, metavar='WxH', help='of --scenes, in pixels (default: 320x240)'
    )
    parser.add_argument('--limit', type=count, metavar='N', help='the first N frames only')
    parser.add_argument('--out', type=Path, required=True, metavar='PATH', help='folder to make')
    parser.add_argument('--storage', choices=tuple(STORAGES), default='mcap')
    parser.add_argument('--format', choices=FORMATS, default='raw', help='of the images')
    parser.add_argument(
        '--rate', type=float, default=10.0, metavar='HZ', help='frames per second (default: 10)'
    )


def run(args: argparse.Namespace) -> int:
    """Write the bag."""
    source = _open_source(args)
    write_bag(
        args.out, source, storage=args.storage, image_format=args.format, rate_hz=args.rate
    )
    return 0


def write_bag(
    path: Path,
    source: Source,
    *,
    storage: str = 'mcap',
    image_format: str = 'raw',
    rate_hz: float = 10.0,
) -> None:
    """Write all of a source's frames as a bag, with a progress bar; see `BagWriter` for errors."""
    console = Console(stderr=True)
    writer = BagWriter(
        path,
        storage=storage,
        image_format=image_format,
        rate_hz=rate_hz,
        classes=source.classes,
    )
    with writer as bag, Progress(console=console, transient=True) as progress:
        for sample in progress.track(source.samples, source.count, description='Writing the bag'):
            bag.write(sample)
    console.print(
        f'{path}: {writer.frames} frames of {source.name}', markup=False, highlight=False
    )


def _open_source(args: argparse.Namespace) -> Source:
    for option, goes_with in (
        ('split', 'data'), ('labels', 'images'), ('seed', 'scenes'), ('size', 'scenes')
    ):
        if getattr(args, option) is not None and getattr(args, goes_with) is None:
            raise InputError(f'--{option} goes with --{goes_with}')
    if args.data:
        return tree_source(args.data, args.split or 'val', args.limit)
    if args.images:
        return folder_source(args.images, args.labels, args.limit)
    if args.video:
        return video_source(args.video, args.limit)
    frames = args.scenes if args.limit is None else min(args.scenes, args.limit)
    height, width = args.size or (240, 320)
    seed = DEMO_SEED if args.seed is None else args.seed
    return scene_source(frames, seed=seed, height=height, width=width, rate_hz=args.rate)
