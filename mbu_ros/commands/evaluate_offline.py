# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu evaluate` straight from files: no ROS, every frame, the same result every time."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from mbu_ros import __version__
from mbu_ros.commands.evaluate import boundary_tolerances
from mbu_ros.errors import InputError
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.classes import check_against
from mbu_ros.evaluation.offline import OfflineResult, evaluate_plan
from mbu_ros.evaluation.part_run import PartSettings
from mbu_ros.evaluation.parts_folder import FOLDER, PartsFolder, fingerprint
from mbu_ros.evaluation.plan import Plan, plan_bags, plan_scenes, plan_tree
from mbu_ros.evaluation.report.facts import LabelCounts, RunFacts
from mbu_ros.evaluation.report.files import write_report
from mbu_ros.evaluation.report.report import build_report, write_json
from mbu_ros.evaluation.report.screen import print_report
from mbu_ros.evaluation.report.thresholds import Thresholds, exit_code
from mbu_ros.evaluation.workers import WorkerError
from mbu_ros.model.catalog import find_model
from mbu_ros.model.deployed import Model
from mbu_ros.model.digest import sha256_of
from mbu_ros.model.file import load_model

MILLISECOND = 10**6


def run_offline(args: argparse.Namespace) -> int:
    """Evaluate, show the report and write what was asked for."""
    thresholds = Thresholds(args.min_miou, args.max_p95_ms, args.max_drop)
    console = Console()
    model_file = find_model(args.model)
    model = load_model(model_file)
    against_file = find_model(args.against) if args.against else None
    against = load_model(against_file) if against_file else None
    if against is not None:
        check_against(model.classes, against.classes)
    if args.find_peak:
        from mbu_ros.evaluation.live.run import check_run

        check_run(args.model)  # that no node can run is said before the work
    plan = make_plan(args, model)
    failure = ''
    settings = PartSettings(
        model=model_file,
        against=against_file,
        engine=args.engine,
        boundary=boundary_tolerances(args),
        pictures=args.report is not None,
        masks=args.save_masks,
    )
    with _parts_folder(args, plan, settings) as folder:
        if args.write_bag and not settings.masks:
            settings = replace(settings, masks=folder.path / 'masks')
        try:
            result = evaluate_plan(
                plan,
                settings,
                folder,
                jobs=args.jobs,
                say=lambda line: console.print(line, highlight=False, markup=False),
            )
        except WorkerError as error:
            print(f'mbu: {error}', file=sys.stderr)
            return 1
        facts = _facts(args, plan, result, model, settings, against)
        if args.find_peak:
            from mbu_ros.commands.evaluate_peak import measure_peak

            try:
                facts = replace(facts, peak=measure_peak(args, console))
            except InputError as error:  # the rest is done, and may have taken hours
                failure = f'the peak was not found: {error}'
                facts = replace(facts, notes=[*facts.notes, failure])
        report = build_report(result.evaluation, facts, thresholds)
        try:
            _show(report, console)
        finally:  # also where nobody reads on, as with `mbu evaluate ... | head`
            written = _write(args, result.evaluation, report)
        for path in written:
            print(path)
        if args.write_bag:
            from mbu_ros.commands.evaluate_bags import write_bags

            write_bags(args.write_bag, plan, result.evaluation, settings.masks)
        folder.remove()
    if failure:
        print(f'mbu: {failure}', file=sys.stderr)
        return 1
    return exit_code(report)


def make_plan(args: argparse.Namespace, model: Model) -> Plan:
    """The source that the arguments name, divided; see `evaluation.plan` for errors."""
    split = args.split or 'val'
    if args.scenes:
        return plan_scenes(split, min(args.scenes, args.limit or args.scenes))
    if args.data:
        return plan_tree(args.data, split, model.classes, args.limit)
    return plan_bags(
        args.bag,
        model.classes,
        image_topics=args.image_topic or (),
        label_topics=args.label_topic or (),
        label_tolerance=round((args.label_tolerance or 0) * MILLISECOND),
        limit=args.limit,
    )


def configuration(args: argparse.Namespace) -> dict[str, object]:
    """Every option, for the report."""
    options = {
        name: [str(item) for item in value] if isinstance(value, list) else value
        for name, value in sorted(vars(args).items())
        if name not in ('run', 'command')
    }
    return {**options, 'boundary': list(boundary_tolerances(args))}


@contextmanager
def _parts_folder(
    args: argparse.Namespace, plan: Plan, settings: PartSettings
) -> Iterator[PartsFolder]:
    """The folder for results of parts; within that of the report it outlives an interruption."""
    options = {
        'version': __version__,
        'source': plan.source,
        'model': sha256_of(settings.model),
        'against': sha256_of(settings.against) if settings.against else None,
        'engine': settings.engine,
        'boundary': settings.boundary,
        'split': args.split,
        'scenes': args.scenes,
        'limit': args.limit,
        'image_topic': args.image_topic,
        'label_topic': args.label_topic,
        'label_tolerance': args.label_tolerance,
        'save_masks': str(args.save_masks.resolve()) if args.save_masks else None,
        'write_bag': args.write_bag is not None,
    }
    marks = fingerprint(plan.files, options)
    if args.report is None:
        with tempfile.TemporaryDirectory(prefix='mbu_evaluate_') as path:
            yield PartsFolder(Path(path) / FOLDER, marks, resume=False)
        return
    folder = PartsFolder(args.report / FOLDER, marks, resume=args.resume)
    try:
        yield folder
    except KeyboardInterrupt:
        print('mbu: the same command with --resume goes on from here', file=sys.stderr)
        raise


def _facts(
    args: argparse.Namespace,
    plan: Plan,
    result: OfflineResult,
    model: Model,
    settings: PartSettings,
    against: Model | None,
) -> RunFacts:
    evaluation, counts = result.evaluation, result.counts
    unusable = counts.unusable_images
    return RunFacts(
        mode='offline',
        source=plan.source,
        model=model.name,
        model_sha256=sha256_of(settings.model),
        engine=result.engine,
        device=result.device,
        frames_in=result.frames_in,
        dropped=_without_zeros({
            'unusable image': unusable,
            'unreadable': result.frames_in - len(evaluation.records) - unusable,
        }),
        labels=LabelCounts(
            matched=evaluation.labelled_frames,
            # A label may fit images of one stamp that lie in different parts.
            unmatched=max(0, counts.unmatched_labels),
            unusable=counts.unusable_labels,
            tolerance_ms=args.label_tolerance or 0.0,
        ),
        configuration=configuration(args),
        notes=result.notes,
        against=against.name if against else None,
    )


def _without_zeros(counts: Mapping[str, int]) -> dict[str, int]:
    return {reason: count for reason, count in counts.items() if count}


def _show(report: dict, console: Console) -> None:
    if report['peak'] is not None:
        from mbu_ros.commands.evaluate_peak import print_peak

        print_peak(report['peak'], console)
    print_report(report, console)


def _write(args: argparse.Namespace, evaluation: Evaluation, report: dict) -> list[Path]:
    """Write the report where it was asked for; returns what was written."""
    written: list[Path] = []
    if args.json:
        write_json(args.json, report)
        written.append(args.json)
    if args.report:
        written += write_report(args.report, evaluation, report)
    return written
