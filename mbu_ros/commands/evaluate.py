# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure a model on a bag or a data tree: IoU per class, pixel accuracy, latency."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from mbu_ros.data.sample import ClassMap, Sample
from mbu_ros.data.tree import SPLITS, DataTree
from mbu_ros.engine.select import ENGINES, create_engine
from mbu_ros.errors import InputError
from mbu_ros.evaluation.evaluate import check_classes, evaluate
from mbu_ros.evaluation.report import print_report, write_json
from mbu_ros.model.catalog import find_model
from mbu_ros.model.file import load_model


class Source(NamedTuple):
    """What to evaluate; `classes` is None where it does not name them."""

    name: str
    classes: ClassMap | None
    samples: Iterable[Sample]
    frames: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `mbu evaluate`."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--bag', type=Path, metavar='PATH', help='a rosbag2, labelled or not')
    source.add_argument(
        '--data',
        type=Path,
        metavar='ROOT',
        help='a data tree: ROOT/{train,val,test}/{images,labels} with ROOT/dataset.json',
    )
    parser.add_argument('--split', choices=SPLITS, help='split of --data (default: val)')
    parser.add_argument('--limit', type=_count, metavar='N', help='the first N frames only')
    parser.add_argument(
        '--model', required=True, metavar='NAME_OR_PATH', help='a shipped model or a file'
    )
    parser.add_argument('--engine', choices=ENGINES, default='auto')
    parser.add_argument('--image-topic', metavar='TOPIC', help='images of --bag')
    parser.add_argument('--label-topic', metavar='TOPIC', help='labels of --bag')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the report as JSON')
    parser.add_argument(
        '--report',
        type=Path,
        metavar='DIR',
        help='write report.json, frames.csv and pictures into this folder',
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate, show the report and write what was asked for."""
    console = Console()
    model = load_model(find_model(args.model))
    source = _open_source(args)
    check_classes(source.classes, model.classes)
    engine, reason = create_engine(args.engine, model)
    console.print(f'Engine: {engine.name} on {engine.device}; {reason}', highlight=False)
    try:
        evaluation = evaluate(
            source.samples, engine, total=source.frames, pictures=args.report is not None
        )
    finally:
        engine.close()
    report = evaluation.report(
        mode='offline',
        source=source.name,
        model=model.name,
        engine=engine.name,
        device=engine.device,
        # Readers leave out what cannot be used, and a bag may hold more than its metadata says.
        frames_in=max(source.frames, len(evaluation.records)),
    )
    print_report(report, console)
    if args.json:
        write_json(args.json, report)
        print(args.json)
    if args.report:
        for path in evaluation.write_folder(args.report, report):
            print(path)
    return 0


def _open_source(args: argparse.Namespace) -> Source:
    if args.data:
        if args.image_topic or args.label_topic:
            raise InputError('--image-topic and --label-topic go with --bag, not with --data')
        tree = DataTree(args.data)
        split = args.split or 'val'
        frames = len(tree.files(split, args.limit))
        samples = tree.samples(split, args.limit)
        return Source(f'{tree.name}/{split}', tree.classes, samples, frames)
    if args.split:
        raise InputError('--split goes with --data; a bag has no splits')
    # Imported here so that a data tree can be evaluated without the bag libraries.
    from mbu_ros.evaluation.bag import BagReader

    bag = BagReader(args.bag, image_topic=args.image_topic, label_topic=args.label_topic)
    frames = bag.frames if args.limit is None else min(bag.frames, args.limit)
    return Source(args.bag.resolve().name, bag.classes, bag.samples(args.limit), frames)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError('must be at least 1')
    return value
