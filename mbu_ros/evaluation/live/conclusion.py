# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What follows a live run: judging its masks, the report, and the bag with results."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mbu_ros.bags.cameras import choose_cameras
from mbu_ros.bags.results import write_results
from mbu_ros.engine.select import create_engine
from mbu_ros.errors import InputError
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.classes import check_against
from mbu_ros.evaluation.live.judging import judge
from mbu_ros.evaluation.live.live_report import LiveOutcome, live_facts
from mbu_ros.evaluation.live.node_state import NodeState
from mbu_ros.evaluation.live.recording import Recording
from mbu_ros.evaluation.plan import Plan, camera_sequence, plan_bags
from mbu_ros.evaluation.report.files import write_report
from mbu_ros.evaluation.report.report import build_report, write_json
from mbu_ros.evaluation.report.screen import print_report
from mbu_ros.evaluation.report.thresholds import Thresholds, exit_code
from mbu_ros.model.catalog import find_model
from mbu_ros.model.deployed import Model
from mbu_ros.model.file import load_model


class Conclusion:
    """Checks at the start what can be checked then, and `report` does the rest at the end.

    Args:
        settings: the evaluator's parameters.
        topics: image topics of the cameras.
        labels: their label topics, '' where there is none; empty: those found.

    Raises:
        InputError: something that was asked for cannot be done.
    """

    def __init__(
        self,
        settings: SimpleNamespace,
        topics: list[str],
        labels: list[str],
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._labels = labels
        self._configuration = _parse(settings.configuration)
        self._thresholds = Thresholds(
            *(
                None if limit < 0 else limit
                for limit in (settings.min_miou, settings.max_p95_ms, settings.max_drop)
            )
        )
        if settings.label_tolerance_ms < 0:
            raise InputError(
                f'label_tolerance_ms is {settings.label_tolerance_ms:g}; it must not be negative'
            )
        if settings.report:
            _make_folder(Path(settings.report))
        if settings.json and Path(settings.json).is_dir():
            raise InputError(f'{settings.json} is a folder; name a file for the JSON')
        if settings.write_bag and Path(settings.write_bag).exists():
            raise InputError(
                f'{settings.write_bag}: exists already; remove it or choose another path'
            )
        self._other = load_model(find_model(settings.against)) if settings.against else None
        if settings.model:
            self._plan(self._load(settings.model)[1])

    def report(
        self,
        recording: Recording,
        state: NodeState,
        *,
        sent: int | None,
        failure: str = '',
        node_parameters: Mapping[str, object],
    ) -> int:
        """Judge what was recorded, show the report and write what was asked for.

        Args:
            recording: finished, with at least one mask.
            state: the last that the node said of itself.
            sent: images that the player says it sent; None where it did not say.
            failure: why the run ended before its time; '' where it did not.
            node_parameters: of the segment node, for the report.

        Returns:
            The exit code: 0, or 3 where a threshold was missed.

        Raises:
            InputError: the bag became unreadable, or a file cannot be written.
        """
        settings = self._settings
        file, model = self._load(settings.model or state.model_file)
        plan = self._plan(model)
        evaluation = Evaluation(
            model.classes,
            boundary=[pixels for pixels in settings.boundary if pixels],
            pictures=bool(settings.report),
            against=self._other is not None,
        )
        with _progress(plan.frames) as advance, self._other_masks() as other:
            judged = judge(plan, recording, evaluation, other=other, on_frame=advance)
        if not evaluation.records:
            if recording.repeated:
                raise InputError(
                    f'nobody knows to which images the masks belong: {recording.repeated} images '
                    'and masks had the stamp of another; check that the camera stamps each image'
                )
            raise InputError(
                f'none of the {recording.masks} masks has the stamp of an image of '
                f'{settings.bag}; check that this is the bag that was played'
            )
        node = {f'node.{name}': value for name, value in node_parameters.items()}
        outcome = LiveOutcome(
            source=settings.source or plan.source,
            sent=sent,
            complete=not failure,
            model_name=model.name,
            model_file=file,
            label_tolerance_ms=settings.label_tolerance_ms,
            against=None if self._other is None else self._other.name,
            configuration={**self._configuration, **node},
            notes=[*plan.notes, *([failure] if failure else [])],
        )
        facts = live_facts(outcome, state, recording, judged)
        report = build_report(evaluation, facts, self._thresholds)
        print_report(report)
        if settings.json:
            write_json(settings.json, report)
        if settings.report:
            for path in write_report(settings.report, evaluation, report):
                print(path)
        if settings.write_bag:
            self._write_bag(recording, model, plan, evaluation)
        return exit_code(report)

    def _load(self, name: str) -> tuple[Path, Model]:
        if not name:
            raise InputError(
                'the node did not say which model it runs; set the parameter model to it'
            )
        path = find_model(name)
        return path, load_model(path)

    def _plan(self, model: Model) -> Plan:
        if self._other is not None:
            check_against(model.classes, self._other.classes)
        return plan_bags(
            [Path(self._settings.bag)],
            model.classes,
            image_topics=self._topics,
            label_topics=self._labels,
            label_tolerance=round(self._settings.label_tolerance_ms * 1e6),
        )

    def _write_bag(
        self, recording: Recording, model: Model, plan: Plan, evaluation: Evaluation
    ) -> None:
        settings = self._settings
        (bag,) = plan.bags
        judged = {(record.sequence, record.logged) for record in evaluation.records}

        def mask(topic: str, stamp: int, logged: tuple[int, int]) -> np.ndarray | None:
            known = (camera_sequence(bag.name, topic), logged) in judged
            return recording.files.get(topic, stamp) if known else None

        cameras = choose_cameras(settings.bag, self._topics, self._labels)
        write_results(Path(settings.bag), Path(settings.write_bag), model.classes, mask, cameras)
        print(settings.write_bag)

    @contextmanager
    def _other_masks(self) -> Iterator[Callable[[np.ndarray], np.ndarray] | None]:
        if self._other is None:
            yield None
            return
        engine, _ = create_engine('auto', self._other)
        try:
            yield lambda image: engine.segment([image])[0].labels
        finally:
            engine.close()


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f'{path}: no folder to write to: {error.strerror}') from error


def _parse(configuration: str) -> dict[str, object]:
    try:
        found = json.loads(configuration)
    except ValueError as error:
        raise InputError(f'configuration is not JSON: {error}') from error
    if not isinstance(found, dict):
        raise InputError(f'configuration is {configuration!r}; it must be a JSON object')
    return found


@contextmanager
def _progress(frames: int) -> Iterator[Callable[[], None]]:
    """A bar; gives what to call after each frame."""
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    # In a log file, a bar would be no more than an empty line.
    disable = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disable) as progress:
        task = progress.add_task('Judging the masks', total=frames or None)
        yield lambda: progress.advance(task)
