# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs parts of an offline evaluation in one process, with an engine that it makes once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mbu_ros.data.sample import Sample
from mbu_ros.engine.base import Engine
from mbu_ros.engine.select import create_engine
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.evaluate import evaluate
from mbu_ros.evaluation.parts import Part, PartCounts
from mbu_ros.imaging.sheet import write_image
from mbu_ros.model.file import load_model


@dataclass(frozen=True)
class PartSettings:
    """What to do with each frame; the same for all parts.

    Attributes:
        model: the model's file.
        against: that of another model to compare with; None: no such comparison.
        engine: as for `create_engine`.
        threads: of the reference engine; None: one per core.
        boundary: tolerances of the boundary F1, in pixels; empty: not measured.
        pictures: whether to gather frames for the report's pictures.
        masks: folder for every mask, see `MaskFiles`; None: they are not kept.
    """

    model: Path
    against: Path | None = None
    engine: str = 'auto'
    threads: int | None = None
    boundary: tuple[int, ...] = ()
    pictures: bool = False
    masks: Path | None = None


class PartRunner:
    """Runs parts, one after another; close it at the end, or use it in a `with` statement.

    Attributes:
        engine: what runs the model.
        reason: one sentence on why it is this engine.

    Raises:
        InputError: a model cannot be loaded.
        EngineUnavailable: this machine cannot run the engine.
    """

    def __init__(self, settings: PartSettings) -> None:
        self._settings = settings
        self._engines = ExitStack()
        self.engine, self.reason = self._create(settings.model)
        self._against = None
        if settings.against is not None:
            self._against, _ = self._create(settings.against)
        self._warm = False

    def __enter__(self) -> PartRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the engines."""
        self._engines.close()

    def run(
        self, part: Part, advance: Callable[[], None] = lambda: None
    ) -> tuple[Evaluation, PartCounts]:
        """Evaluate a part; `advance` is called for each frame.

        Raises:
            InputError: its source is unusable, or a mask cannot be written.
            EngineError: the engine's device failed.
        """
        settings = self._settings
        evaluation = Evaluation(
            self.engine.model.classes,
            boundary=settings.boundary,
            pictures=settings.pictures,
            against=self._against is not None,
        )
        counts = PartCounts()

        def samples() -> Iterator[Sample]:
            for sample in part.samples(counts):
                yield sample
                advance()

        def keep(sample: Sample, mask: np.ndarray) -> None:
            if settings.masks is not None:
                _keep(settings.masks, part, sample, mask)

        evaluate(
            samples(),
            self.engine,
            evaluation,
            sequence=part.sequence,
            against=self._against,
            warm_up=not self._warm,
            keep=keep,
        )
        self._warm = self._warm or bool(evaluation.records)
        return evaluation, counts

    def _create(self, model: Path) -> tuple[Engine, str]:
        settings = self._settings
        engine, reason = create_engine(settings.engine, load_model(model), settings.threads)
        self._engines.callback(engine.close)
        return engine, reason


def _keep(folder: Path, part: Part, sample: Sample, mask: np.ndarray) -> None:
    if sample.stamp is None:
        write_image(folder / f'{sample.name}.png', mask)
        return
    # Late, so that a data tree can be evaluated without the bag libraries.
    from mbu_ros.evaluation.mask_files import MaskFiles

    MaskFiles(folder / part.bag).put(part.topic, sample.stamp, mask, sample.logged)
