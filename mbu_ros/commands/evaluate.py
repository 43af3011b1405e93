# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure a model on bags, a data tree or generated scenes: accuracy, stability and latency.

Exit code 3: the report is there, but missed a limit of --min-miou, --max-p95-ms or --max-drop.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mbu_ros.commands.evaluate_arguments import add_arguments
from mbu_ros.errors import InputError
from mbu_ros.evaluation.boundary import MAX_TOLERANCE, TOLERANCES

__all__ = ['add_arguments', 'boundary_tolerances', 'run']

NEEDS = {
    'split': ('data', 'scenes'),
    'image_topic': ('bag',),
    'label_topic': ('bag',),
    'label_tolerance': ('bag',),
    'write_bag': ('bag',),
    'live': ('bag',),
    'rate': ('live',),
    'resume': ('report',),
}
"""Options that are of use only with one of these others."""
NOT_LIVE = ('limit', 'jobs', 'resume', 'find_peak')
NOT_COMPARED = (
    'model', 'against', 'limit', 'jobs', 'resume', 'boundary', 'json', 'save_masks', 'find_peak',
    'min_miou', 'max_p95_ms', 'max_drop',
)


def run(args: argparse.Namespace) -> int:
    """Do what was asked for; one module each."""
    _check(args)
    # Each imported alone: nobody needs ROS to evaluate a file, nor an engine to compare reports.
    if args.compare:
        from mbu_ros.commands.evaluate_compare import run_compare

        first, second = args.compare
        return run_compare(first, second, args.report)
    if args.live:
        from mbu_ros.commands.evaluate_live import run_live_evaluation

        return run_live_evaluation(args)
    if args.find_peak and not _wants_report(args):
        from mbu_ros.commands.evaluate_peak import show_peak

        return show_peak(args)
    from mbu_ros.commands.evaluate_offline import run_offline

    return run_offline(args)


def boundary_tolerances(args: argparse.Namespace) -> tuple[int, ...]:
    """What --boundary asks for; empty: not to be measured.

    Raises:
        InputError: neither 'none' nor whole numbers.
    """
    if args.boundary is None:
        return TOLERANCES
    if args.boundary == ['none']:
        return ()
    if not all(text.isdecimal() and 1 <= int(text) <= MAX_TOLERANCE for text in args.boundary):
        raise InputError(
            f"--boundary {' '.join(args.boundary)}: give whole numbers of pixels from 1 to "
            f"{MAX_TOLERANCE}, or 'none'"
        )
    return tuple(sorted({int(text) for text in args.boundary}))


def _check(args: argparse.Namespace) -> None:
    """Say what does not go together before any work is done, not after it."""
    for option, others in NEEDS.items():
        if getattr(args, option) and not any(getattr(args, other) for other in others):
            names = ' and '.join(map(_option, others))
            raise InputError(f'{_option(option)} goes with {names}')
    for mode, options in (('compare', NOT_COMPARED), ('live', NOT_LIVE)):
        unused = [option for option in options if getattr(args, option)]
        if getattr(args, mode) and unused:
            raise InputError(f'{_option(unused[0])} is of no use with --{mode}')
    if not args.compare and args.model is None:
        raise InputError('give a model with --model: the name of a shipped one, or a file')
    if args.json and args.json.is_dir():
        raise InputError(f'--json {args.json} is a folder; name a file')
    for option in ('json', 'report', 'save_masks', 'write_bag'):
        if path := getattr(args, option):
            _check_place(_option(option), path)
            if args.write_bag and option != 'write_bag':
                _check_outside(args.write_bag, _option(option), path)
    if args.write_bag and args.write_bag.exists():
        raise InputError(
            f'--write-bag {args.write_bag}: exists already; remove it or choose another path'
        )


def _check_outside(bag: Path, option: str, path: Path) -> None:
    """A bag is made at the end, and only where nothing lies."""
    if bag.resolve() in (path.resolve(), *path.resolve().parents):
        raise InputError(f'{option} {path} would lie in --write-bag {bag}; choose another path')


def _check_place(option: str, path: Path) -> None:
    """Folders that are missing will be made; whether that will go well shows at the nearest one."""
    folder = path.absolute().parent
    while not os.path.lexists(folder):
        folder = folder.parent
    if path.is_dir():
        folder = path
    if not folder.is_dir():
        raise InputError(f'{option} {path}: {folder} is no folder')
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f'{option} {path}: {folder} cannot be written to')


def _wants_report(args: argparse.Namespace) -> bool:
    results = args.report, args.json, args.save_masks, args.write_bag
    limits = args.min_miou, args.max_p95_ms, args.max_drop
    return any(results) or any(limit is not None for limit in limits)


def _option(name: str) -> str:
    return f'--{name.replace("_", "-")}'
