# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu evaluate --find-peak`: how fast the ROS node can be sent the images of the source."""

from __future__ import annotations

import argparse
from itertools import chain

from rich.console import Console

from mbu_ros.commands.evaluate_offline import make_plan
from mbu_ros.evaluation.parts import PartCounts
from mbu_ros.evaluation.peak.peak import find_peak
from mbu_ros.evaluation.peak.preload import Preloaded, preload_bag, preload_samples
from mbu_ros.evaluation.peak.table import print_peak
from mbu_ros.model.catalog import find_model
from mbu_ros.model.file import load_model


def measure_peak(args: argparse.Namespace, console: Console) -> dict:
    """Search for the peak and return it; see `find_peak` for keys and errors."""
    images = _preload(args)
    with console.status('Searching for the peak') as status:
        return find_peak(
            images, args.model, args.engine, say=lambda line: status.update(f'Peak: {line}')
        )


def show_peak(args: argparse.Namespace) -> int:
    """The peak alone, without an evaluation."""
    console = Console()
    print_peak(measure_peak(args, console), console)
    return 0


def _preload(args: argparse.Namespace) -> list[Preloaded]:
    if args.bag:
        # Of several bags the first: cameras of different bags did not run side by side.
        from mbu_ros.bags.cameras import find_bags

        return preload_bag(find_bags(args.bag)[0], args.image_topic or ())
    plan = make_plan(args, load_model(find_model(args.model)))
    samples = chain.from_iterable(part.samples(PartCounts()) for part in plan.parts)
    return preload_samples(plan.source, samples)
