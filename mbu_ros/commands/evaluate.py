# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure a model on a bag, a data tree or generated scenes: accuracy and latency."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from mbu_ros.commands.arguments import count
from mbu_ros.data.sources import Source, scene_split_source, tree_source
from mbu_ros.data.tree import SPLITS
from mbu_ros.engine.select import ENGINES, create_engine
from mbu_ros.errors import InputError
from mbu_ros.evaluation.evaluate import check_classes, evaluate
from mbu_ros.evaluation.report.report import print_report, write_json
from mbu_ros.model.catalog import find_model
from mbu_ros.model.file import load_model


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
    source.add_argument(
        '--scenes',
        type=count,
        metavar='N',
        help='N generated street scenes of 320x240, of several drives',
    )
    parser.add_argument('--split', choices=SPLITS, help='of --data or --scenes (default: val)')
    parser.add_argument('--limit', type=count, metavar='N', help='the first N frames only')
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
    if args.json and args.json.is_dir():  # said before the work, not after it
        raise InputError(f'--json {args.json} is a folder; name a file')
    console = Console()
    model = load_model(find_model(args.model))
    source = _open_source(args)
    check_classes(source.classes, model.classes)
    engine, reason = create_engine(args.engine, model)
    console.print(f'Engine: {engine.name} on {engine.device}; {reason}', highlight=False)
    try:
        evaluation = evaluate(
            source.samples, engine, total=source.count, pictures=args.report is not None
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
        frames_in=max(source.count, len(evaluation.records)),
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
    if args.bag is None:
        if args.image_topic or args.label_topic:
            raise InputError('--image-topic and --label-topic go with --bag')
        split = args.split or 'val'
        if args.scenes:
            return scene_split_source(split, min(args.scenes, args.limit or args.scenes))
        return tree_source(args.data, split, args.limit)
    if args.split:
        raise InputError('--split goes with --data and --scenes; a bag has no splits')
    # Imported here so that a data tree can be evaluated without the bag libraries.
    from mbu_ros.bags.reader import BagReader

    bag = BagReader(args.bag, image_topic=args.image_topic, label_topic=args.label_topic)
    frames = bag.frames if args.limit is None else min(bag.frames, args.limit)
    return Source(args.bag.resolve().name, bag.samples(args.limit), frames, bag.classes)
