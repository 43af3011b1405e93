# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the training of a network is, its learning curve, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mbu_ros.network.unet import UNet

POINTS = 200
"""Points of a stage's learning curve, at most."""


@dataclass
class Progress:
    """Where the training of a network is.

    Attributes:
        stage: index of the stage.
        elapsed: seconds spent in it.
        seconds, steps: spent in all.
        selected_step: after which of them the network was what it is, where `Recipe.select_best`
            went back to it; None without that.
        history: the learning curve: `step`, `seconds`, `stage`, `loss`, `learning_rate`,
            `images_per_second`, and `val_miou`, which is None but where the network was evaluated.
    """

    stage: int = 0
    elapsed: float = 0.0
    seconds: float = 0.0
    steps: int = 0
    selected_step: int | None = None
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Watch:
    """What is told of training while it goes on, on rank 0; by default nothing.

    Attributes:
        step: called after each step with the stage's name, its progress in [0, 1] and the last
            loss seen.
        point: called with each new point of the learning curve.
        evaluate: gives the mIoU of a network in `eval`, for the learning curve, and to select the
            best look by.
        save: writes a checkpoint of what `Trainer.load_state` takes.
    """

    step: Callable[[str, float, float], None] = lambda stage, progress, loss: None
    point: Callable[[dict[str, Any]], None] = lambda point: None
    evaluate: Callable[[UNet], float] | None = None
    save: Callable[[dict[str, Any]], None] = lambda state: None


class LearningCurve:
    """Adds points to the history of a network's progress, while it goes through a stage.

    Args:
        stage: its name.
        progress: of the network, which others keep up to date.
        batch: frames per step.
    """

    def __init__(self, stage: str, progress: Progress, batch: int) -> None:
        self._stage, self._progress, self._batch = stage, progress, batch
        self._share = 0.0
        self._mark()

    def _mark(self) -> None:
        self._steps, self._seconds = self._progress.steps, self._progress.seconds

    def due(self, share: float) -> bool:
        """Whether the stage is far enough for another point."""
        return passed(self._share, share, POINTS)

    def add(
        self, share: float, loss: float, learning_rate: float, miou: float | None
    ) -> dict[str, Any]:
        """Add a point and return it; `miou` where the network was evaluated."""
        progress = self._progress
        seconds = progress.seconds - self._seconds
        images = self._batch * (progress.steps - self._steps)
        point = {
            'step': progress.steps,
            'seconds': progress.seconds,
            'stage': self._stage,
            'loss': loss,
            'learning_rate': learning_rate,
            'images_per_second': images / seconds if seconds > 0 else None,
            'val_miou': miou,
        }
        progress.history.append(point)
        self._share = share
        self._mark()
        return point


def passed(before: float, now: float, parts: int) -> bool:
    """Whether another of so many equal parts of 1 was begun in between."""
    return int(now * parts) > int(before * parts)
