# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The offline evaluation of a whole source: part by part, in one process or several, resumable.

The result is the same to the last bit however many processes share the work and however often it
was interrupted, but for the times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mbu_ros.engine.reference import usable_cores
from mbu_ros.errors import InputError
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.part_run import PartRunner, PartSettings
from mbu_ros.evaluation.parts import Part, PartCounts
from mbu_ros.evaluation.parts_folder import PartsFolder
from mbu_ros.evaluation.plan import Plan
from mbu_ros.evaluation.workers import run_in_processes


@dataclass(frozen=True)
class OfflineResult:
    """What came of an offline evaluation.

    Attributes:
        evaluation: of all frames.
        counts: of all messages that are no frames.
        frames_in: images that the source holds, as far as it says, or that were read.
        engine, device: what ran the model, in words.
        notes: for people, such as how many processes shared the machine.
    """

    evaluation: Evaluation
    counts: PartCounts
    frames_in: int
    engine: str
    device: str
    notes: tuple[str, ...]


def evaluate_plan(
    plan: Plan,
    settings: PartSettings,
    folder: PartsFolder,
    *,
    jobs: int | None = None,
    say: Callable[[str], None] = lambda line: None,
    console: Console | None = None,
) -> OfflineResult:
    """Evaluate all parts of a plan, those whose results lie in the folder excepted.

    Args:
        plan: what to evaluate.
        settings: how; the number of threads is chosen here.
        folder: for the results of parts; it is left as it is at the end.
        jobs: processes; None: one per core for the reference engine, else one.
        say: called with a line on the engine.
        console: where the progress bar goes, default standard error.

    Raises:
        InputError: there is no frame, a frame is unusable, or a file cannot be written.
        EngineUnavailable, EngineError: the engine cannot run, or failed.
        WorkerError: a process was killed.
    """
    missing = [(index, part) for index, part in enumerate(plan.parts) if not folder.has(index)]
    notes = list(plan.notes)
    with PartRunner(settings) as runner:
        name, device = runner.engine.name, runner.engine.device
        say(f'Engine: {name} on {device}; {runner.reason}')
        if jobs is None:
            jobs = usable_cores() if name == 'reference' else 1
        jobs = max(1, min(jobs, len(missing)))
        if jobs == 1:
            with _progress(plan, missing, console) as tell:
                _run_here(runner, missing, folder, tell)
    if jobs > 1:
        threads = max(1, usable_cores() // jobs)
        settings = replace(settings, engine=name, threads=threads)
        with _progress(plan, missing, console) as tell:
            run_in_processes(missing, settings, folder, jobs, tell)
        notes.append(
            f'{jobs} processes of {threads} thread{"s" * (threads > 1)} shared the machine, which '
            'shows in the latency; that of one engine alone is measured with --jobs 1'
        )
    evaluation, counts = _merge(folder, len(plan.parts))
    if not evaluation.records:
        reasons = [*notes, *counts.losses]
        if counts.unusable_images:
            reasons.append(f'{counts.unusable_images} images cannot be used, see the warnings')
        raise InputError('; '.join(['there is no frame to evaluate', *reasons]))
    if settings.masks is not None:
        _shorten_names(plan, settings.masks, evaluation)
    notes += _repeated_stamps(evaluation)
    return OfflineResult(
        evaluation=evaluation,
        counts=counts,
        frames_in=max(plan.frames, len(evaluation.records) + counts.unusable_images),
        engine=name,
        device=device,
        notes=(*notes, *counts.losses),
    )


def _shorten_names(plan: Plan, masks: Path, evaluation: Evaluation) -> None:
    """Name masks after their stamps where these are all different, as is now known."""
    frames: dict[str, list[tuple[int, tuple[int, int]]]] = {}
    for record in evaluation.records:
        if record.stamp is not None and record.logged is not None:
            frames.setdefault(record.sequence, []).append((record.stamp, record.logged))
    if not frames:
        return
    # Late, so that a data tree can be evaluated without the bag libraries.
    from mbu_ros.evaluation.mask_files import MaskFiles

    for part in {part.sequence: part for part in plan.parts}.values():
        MaskFiles(masks / part.bag).shorten(part.topic, frames.get(part.sequence, ()))


def _repeated_stamps(evaluation: Evaluation) -> list[str]:
    """A note on each sequence with frames that have the stamp of another one."""
    stamps: dict[str, Counter[int]] = {}
    for record in evaluation.records:
        if record.stamp is not None:
            stamps.setdefault(record.sequence, Counter())[record.stamp] += 1
    notes = []
    for sequence, counts in stamps.items():
        if shared := sum(count for count in counts.values() if count > 1):
            zero = ', which is 0 and so fits no label' if counts[0] > 1 else ''
            notes.append(
                f'{sequence}: {shared} of {counts.total()} frames share their stamp with others'
                f'{zero}; check that the camera stamps each image'
            )
    return notes


def _run_here(
    runner: PartRunner,
    parts: Sequence[tuple[int, Part]],
    folder: PartsFolder,
    tell: Callable[[int], None],
) -> None:
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        tell(done)

    for index, part in parts:
        folder.put(index, *runner.run(part, advance))


def _merge(folder: PartsFolder, parts: int) -> tuple[Evaluation, PartCounts]:
    """All results put together in the order of the parts, one of them in memory at a time."""
    evaluation, counts = folder.get(0)
    for index in range(1, parts):
        other, other_counts = folder.get(index)
        evaluation.merge(other)
        counts = counts + other_counts
    return evaluation, counts


@contextmanager
def _progress(
    plan: Plan, missing: Sequence[tuple[int, Part]], console: Console | None
) -> Iterator[Callable[[int], None]]:
    """A bar of all frames; gives a function to tell how many of those missing are done."""
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = console or Console(stderr=True)
    # In a log file, a bar would be no more than an empty line.
    disable = not console.is_terminal
    before = max(0, plan.frames - sum(part.frames for _, part in missing))
    with Progress(*columns, console=console, transient=True, disable=disable) as progress:
        task = progress.add_task('Evaluating', total=plan.frames or None, completed=before)
        yield lambda done: progress.update(task, completed=before + done)
