# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation: gathering what a report needs frame by frame, and the offline run of an engine.

`Evaluation` is shared by offline and live runs. It keeps a few numbers per frame, and pictures of
a bounded number of frames.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mbu_ros.data.sample import ClassMap, Sample
from mbu_ros.engine.base import Engine
from mbu_ros.errors import InputError
from mbu_ros.evaluation.latency import percentiles
from mbu_ros.evaluation.metrics import ConfusionMatrix
from mbu_ros.evaluation.report.gallery import Gallery
from mbu_ros.evaluation.report.report import FrameRecord, build_report, write_frames, write_json


class Evaluation:
    """What is known of the frames so far.

    Attributes:
        classes: what mask and label values mean.
        confusion: of all labelled pixels.
        records: figures of each frame that got a mask.
        labelled_frames: how many of them had a label.
    """

    def __init__(self, classes: ClassMap, *, pictures: bool = False) -> None:
        self.classes = classes
        self.confusion = ConfusionMatrix(len(classes))
        self.records: list[FrameRecord] = []
        self.labelled_frames = 0
        self._stages: defaultdict[str, list[float]] = defaultdict(list)
        self._gallery = Gallery(classes) if pictures else None

    def add(
        self,
        sample: Sample,
        mask: np.ndarray,
        *,
        latency_ms: float | None = None,
        stages_ms: Mapping[str, float] | None = None,
    ) -> None:
        """Count one frame and its mask, uint8 [H, W].

        Raises:
            InputError: its label has another size, or a value that is no class.
        """
        accuracy = miou = None
        if sample.label is not None:
            frame = ConfusionMatrix(len(self.classes))
            try:
                frame.add(sample.label, mask)
            except InputError as error:
                raise InputError(f'frame {sample.name}: {error}') from error
            self.confusion = self.confusion + frame
            self.labelled_frames += 1
            accuracy, miou = frame.pixel_accuracy(), frame.miou()
        self.records.append(FrameRecord(sample.name, sample.time, accuracy, miou, latency_ms))
        for stage, milliseconds in (stages_ms or {}).items():
            self._stages[stage].append(milliseconds)
        if self._gallery:
            self._gallery.add(sample.name, sample.image, mask, sample.label, miou)

    def report(
        self,
        *,
        mode: str,
        source: str,
        model: str,
        engine: str,
        device: str,
        frames_in: int,
        stages_ms: Mapping[str, Mapping[str, float | None]] | None = None,
    ) -> dict:
        """The report so far, see `report`.

        Args:
            mode: 'offline' or 'live'.
            source, model, engine, device: for people.
            frames_in: frames that the source sent.
            stages_ms: percentiles by stage, where they were measured elsewhere.
        """
        latencies = (r.latency_ms for r in self.records if r.latency_ms is not None)
        measured = {stage: percentiles(values) for stage, values in self._stages.items()}
        return build_report(
            mode=mode,
            source=source,
            model=model,
            engine=engine,
            device=device,
            classes=self.classes,
            confusion=self.confusion,
            frames_in=frames_in,
            frames_out=len(self.records),
            labelled_frames=self.labelled_frames,
            latency_ms=percentiles(latencies),
            stages_ms=measured if stages_ms is None else stages_ms,
        )

    def write_folder(self, folder: Path | str, report: dict) -> list[Path]:
        """Write report.json, frames.csv and, where gathered, the pictures; return their paths.

        Raises:
            InputError: a file cannot be written.
        """
        folder = Path(folder)
        paths = [folder / 'report.json', folder / 'frames.csv']
        write_json(paths[0], report)
        write_frames(paths[1], self.records)
        return paths + (self._gallery.write(folder) if self._gallery else [])


def check_classes(data: ClassMap | None, model: ClassMap) -> None:
    """Raise InputError unless data and model mean the same by each label value.

    `data` is None where the source does not name its classes.
    """
    if data is None or data.names == model.names:
        return
    raise InputError(
        f'data and model have different classes: the data {len(data)} '
        f'({", ".join(data.names)}), the model {len(model)} ({", ".join(model.names)}); '
        'use a model that was trained on these classes'
    )


def evaluate(
    samples: Iterable[Sample],
    engine: Engine,
    *,
    total: int | None = None,
    pictures: bool = False,
    console: Console | None = None,
) -> Evaluation:
    """Segment every sample and compare with its label, one frame in memory at a time.

    The latency of a frame is the wall time of `engine.segment`. One call on the first frame, which
    does not count, comes before.

    Args:
        samples: frames, with labels or without.
        engine: what to run.
        total: number of samples, for the progress bar; None where unknown.
        pictures: gather frames for the pictures of `Evaluation.write_folder`.
        console: where the progress bar goes, default standard error.

    Raises:
        InputError: there is no sample, or one is unusable.
    """
    evaluation = Evaluation(engine.model.classes, pictures=pictures)
    for sample in _progress(samples, total, console):
        if not evaluation.records:
            engine.segment([sample.image])
        start = time.perf_counter()
        (result,) = engine.segment([sample.image])
        latency = (time.perf_counter() - start) * 1e3
        evaluation.add(sample, result.labels, latency_ms=latency, stages_ms=result.milliseconds)
    if not evaluation.records:
        raise InputError('there is no frame to evaluate')
    return evaluation


def _progress(
    samples: Iterable[Sample], total: int | None, console: Console | None
) -> Iterable[Sample]:
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = console or Console(stderr=True)
    # In a log file, a bar would be no more than an empty line.
    disable = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disable) as progress:
        yield from progress.track(samples, total=total, description='Evaluating')
