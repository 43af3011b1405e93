# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu evaluate --live`: a bag played through the ROS node, for machines without `ros2 launch`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from mbu_ros.bags.cameras import find_bags
from mbu_ros.commands.evaluate import boundary_tolerances
from mbu_ros.errors import InputError
from mbu_ros.evaluation.live.live_run import LiveRun
from mbu_ros.evaluation.live.processes import LiveRunError
from mbu_ros.evaluation.live.run import run_live
from mbu_ros.evaluation.report.screen import print_report
from mbu_ros.evaluation.report.thresholds import Thresholds, exit_code


def run_live_evaluation(args: argparse.Namespace) -> int:
    """Run node, player and evaluator, show the report and say what was written."""
    console = Console()
    live = LiveRun(
        bag=_only_bag(args.bag),
        model=args.model,
        report=args.report,
        engine=args.engine,
        speed=args.rate or 1.0,
        image_topics=args.image_topic or (),
        label_topics=args.label_topic or (),
        label_tolerance_ms=args.label_tolerance or 0.0,
        boundary=boundary_tolerances(args),
        against=args.against,
        json=args.json,
        save_masks=args.save_masks,
        write_bag=args.write_bag,
        thresholds=Thresholds(args.min_miou, args.max_p95_ms, args.max_drop),
    )
    try:
        with console.status('Playing the bag through the node'):
            report = run_live(live)
    except LiveRunError as error:
        print(f'mbu: {error}', file=sys.stderr)
        return 1
    print_report(report, console)
    for path in filter(None, (args.json, args.report, args.write_bag)):
        print(path)
    return exit_code(report)


def _only_bag(paths: list[Path]) -> Path:
    bags = find_bags(paths)
    if len(bags) > 1:
        raise InputError(
            f'--live plays one bag, these are {len(bags)}: '
            f'{", ".join(map(str, bags))}; run it once for each'
        )
    return bags[0]
