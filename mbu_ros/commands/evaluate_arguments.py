# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The options of `mbu evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from mbu_ros.commands.arguments import count
from mbu_ros.data.tree import SPLITS
from mbu_ros.engine.select import ENGINES
from mbu_ros.evaluation.boundary import TOLERANCES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `mbu evaluate`."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        '--bag',
        type=Path,
        nargs='+',
        metavar='PATH',
        help='rosbag2 bags, labelled or not; a folder stands for all bags in it',
    )
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
    source.add_argument(
        '--compare',
        type=Path,
        nargs=2,
        metavar=('A', 'B'),
        help='evaluate nothing: show two reports side by side',
    )
    parser.add_argument('--model', metavar='NAME_OR_PATH', help='a shipped model or a file')
    parser.add_argument(
        '--against', metavar='NAME_OR_PATH', help='another model: how far do the two agree?'
    )
    parser.add_argument('--engine', choices=ENGINES, default='auto')
    _add_frames(parser.add_argument_group('which frames'))
    _add_ways(parser.add_argument_group('how'))
    _add_results(parser.add_argument_group('what to write'))
    _add_limits(parser.add_argument_group('limits, for continuous integration'))


def _add_frames(group: argparse._ArgumentGroup) -> None:
    group.add_argument('--split', choices=SPLITS, help='of --data or --scenes (default: val)')
    group.add_argument(
        '--limit', type=count, metavar='N', help='the first N frames only, of each camera'
    )
    group.add_argument(
        '--image-topic',
        action='append',
        metavar='TOPIC',
        help='a camera of --bag; may be repeated (default: all cameras)',
    )
    group.add_argument(
        '--label-topic',
        action='append',
        metavar='TOPIC',
        help="its labels, '' for none; once for each --image-topic, in the same order "
        '(default: the label topic nearest by name)',
    )
    group.add_argument(
        '--label-tolerance',
        type=_not_negative,
        metavar='MS',
        help="how far a label's stamp may be from its image's (default: 0)",
    )


def _add_ways(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--jobs',
        type=count,
        metavar='N',
        help='processes (default: one per core without a GPU, else one); the result is the same, '
        'but latencies are those of a machine that is shared',
    )
    group.add_argument(
        '--resume', action='store_true', help='go on with what an interrupted run left in --report'
    )
    group.add_argument(
        '--boundary',
        nargs='+',
        metavar='PX',
        help=f"tolerances of the boundary F1 in pixels, or 'none' "
        f'(default: {" ".join(map(str, TOLERANCES))})',
    )
    group.add_argument(
        '--live',
        action='store_true',
        help='play the bag through the ROS node, as on the robot, and judge the masks it publishes',
    )
    group.add_argument(
        '--rate', type=_positive, metavar='FACTOR', help='speed of --live (default: 1)'
    )
    group.add_argument(
        '--find-peak',
        action='store_true',
        help='search for the highest rate that the ROS node keeps up with; alone, or beside an '
        'evaluation where --report, --json or a limit is given',
    )


def _add_results(group: argparse._ArgumentGroup) -> None:
    group.add_argument('--json', type=Path, metavar='FILE', help='the report as JSON')
    group.add_argument(
        '--report',
        type=Path,
        metavar='DIR',
        help='report.json, frames.csv, report.html and pictures; with --compare: compare.html',
    )
    group.add_argument(
        '--save-masks', type=Path, metavar='DIR', help='every mask as PNG, by topic and stamp'
    )
    group.add_argument(
        '--write-bag',
        type=Path,
        metavar='OUT',
        help='a copy of the bag with masks and overlays, for RViz and Foxglove',
    )


def _add_limits(group: argparse._ArgumentGroup) -> None:
    group.add_argument('--min-miou', type=float, metavar='SHARE', help='least mean IoU, 0 to 1')
    group.add_argument('--max-p95-ms', type=float, metavar='MS', help='most latency, at the p95')
    group.add_argument(
        '--max-drop', type=float, metavar='SHARE', help='most frames without a mask, 0 to 1'
    )


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text!r} is not a number above 0')
    return value


def _not_negative(text: str) -> float:
    value = _number(text)
    if not 0 <= value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text!r} is not a number from 0 on')
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number') from None
