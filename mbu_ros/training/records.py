# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run shows of itself while it goes on: TensorBoard logs, table, curves, sample masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mbu_ros.training.datasets import Split, TrainingData
from mbu_ros.training.logs import Logs
from mbu_ros.training.pictures import (
    MATPLOTLIB_MISSING,
    sample_frames,
    write_curves,
    write_samples,
)
from mbu_ros.training.run import Run
from mbu_ros.training.table import Heading, Table, make_table
from mbu_ros.training.table_text import write_table
from mbu_ros.training.teachers import other_results
from mbu_ros.training.validate import predict


class Records:
    """Writes into a run's folder: `logs/`, `table.*`, `curves.png`, `samples.png`.

    Args:
        run: whose results they show.
        data: of the run.
        device: where sample masks are made.
        say: told once of each package that is missing.
    """

    def __init__(
        self,
        run: Run,
        data: TrainingData,
        device: torch.device,
        say: Callable[[str], object],
    ) -> None:
        self._run, self._device, self._say = run, device, say
        self._frames = sample_frames(len(data.val))
        self._samples = Split(data.val.images[self._frames], data.val.labels[self._frames])
        self._logs = Logs(run.folder / 'logs', say)
        self._masks: dict[str, np.ndarray] = {}
        self._told = False

    def start(self, network: str, step: int) -> None:
        """A network's training starts, or goes on, at a step."""
        self._logs.start(network, step)

    def point(self, point: dict[str, Any]) -> None:
        """The network in training has a new point of its learning curve."""
        self._logs.add(point)

    def ended(self, network: str) -> None:
        """A network has its entry of the run's results."""
        run, result = self._run, self._run.results[network]
        write_table(run.folder, run_table(run))
        histories = {name: entry['history'] for name, entry in run.results.items()}
        if not write_curves(run.folder / 'curves.png', histories) and not self._told:
            self._say(MATPLOTLIB_MISSING)
            self._told = True
        samples = run.folder / 'samples.png'
        write_samples(
            samples,
            self._samples.images,
            self._samples.labels,
            {name: self._sample_masks(name) for name in run.results},
            run.classes,
            [f'{run.data["eval_split"]} frame {index}' for index in self._frames],
        )
        if result['history']:
            self._logs.add(result['history'][-1])
        self._logs.add_samples(samples, result['steps'])
        self._logs.close()

    def close(self) -> None:
        """End the logs."""
        self._logs.close()

    def _sample_masks(self, name: str) -> np.ndarray:
        if name not in self._masks:
            network = self._run.network(name).to(self._device)
            masks = predict(network, self._samples, self._run.mean)
            self._masks[name] = np.stack(list(masks))
        return self._masks[name]


def run_table(run: Run) -> Table:
    """The table of a run's results so far, below those of other runs' networks that taught it.

    Raises:
        InputError: there is none yet.
    """
    settings = run.settings
    heading = Heading(
        data=run.data['name'],
        classes=run.classes.names,
        size=run.input_size,
        width=settings.width,
        depth=settings.depth,
        recipe=str(settings.recipe),
        minutes=settings.minutes,
        seed=settings.seed,
        other_teachers=len(settings.teachers),
    )
    others = other_results(run) if run.results else {}
    return make_table(heading, {**others, **run.results})
