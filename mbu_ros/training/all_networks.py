# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains the networks of a run one after the other, and evaluates each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from mbu_ros.errors import InputError
from mbu_ros.model.structure import padded_size
from mbu_ros.network.unet import UNet
from mbu_ros.training.batches import TrainingFrames
from mbu_ros.training.choose import choose
from mbu_ros.training.datasets import TrainingData
from mbu_ros.training.distributed import Ranks
from mbu_ros.training.evaluate_network import evaluate_network
from mbu_ros.training.networks import CHOSEN, NETWORKS, stages
from mbu_ros.training.recipe import TOGETHER
from mbu_ros.training.records import Records
from mbu_ros.training.run import Run
from mbu_ros.training.settings import Settings
from mbu_ros.training.start import keep_network, started_choice, started_network
from mbu_ros.training.teachers import load_teacher
from mbu_ros.training.train import AnyNetwork, Diverged, Trainer, Watch, frozen
from mbu_ros.training.validate import evaluate

RANK_SEEDS = 1000
"""Seeds that each network has for its processes."""


@dataclass(frozen=True)
class Listener:
    """Who is told of a run, on rank 0.

    Attributes:
        say: called with what comes next, or with a warning.
        step: called after each step with the network's name, the stage's, its progress in [0, 1]
            and the last loss seen.
        ended: called with the name of each network that has its results.
    """

    say: Callable[[str], object] = lambda text: None
    step: Callable[[str, str, float, float], object] = lambda network, stage, share, loss: None
    ended: Callable[[str], object] = lambda network: None


def check_settings(data: TrainingData, settings: Settings, ranks: int) -> None:
    """Raise InputError where settings do not suit the data or the number of processes.

    A batch must be one that can be shared out, and large enough for batch norm and for what puts
    its frames together; and there must be a val split to select the best look by.
    """
    if settings.recipe.select_best and data.looks is None:
        raise InputError(
            f'{data.name}: select_best is by mIoU on the val split, and there is none; add one, or '
            'leave it out'
        )
    batch, depth = settings.recipe.batch, settings.depth
    if batch % ranks:
        raise InputError(
            f'a batch of {batch} frames cannot be shared out equally to {ranks} processes; choose '
            'another --batch'
        )
    together = [key for key in TOGETHER if getattr(settings.recipe, key)]
    if together and batch == ranks:
        raise InputError(
            f'{together[0]} puts frames of a batch together, but each process has one frame; raise '
            '--batch, or leave it out'
        )
    height, width = data.train.images.shape[1:3]
    rows, columns = padded_size(height, width, depth)
    if (batch // ranks) * (rows >> depth) * (columns >> depth) < 2:
        raise InputError(
            f'a batch of {batch // ranks} frames of {width}x{height} is one pixel at depth '
            f'{depth}, of which batch norm can learn nothing; raise --batch or --size'
        )


class AllNetworks:
    """Trains what a run lacks.

    Args:
        run: has begun, or goes on.
        data: of the run.
        ranks: the processes that train together.
        listener: see `Listener`.
    """

    def __init__(self, run: Run, data: TrainingData, ranks: Ranks, listener: Listener) -> None:
        self._run, self._data, self._ranks, self._listener = run, data, ranks, listener
        self._device = ranks.device
        self._frames: TrainingFrames | None = None
        self._records = (
            Records(run, data, ranks.device, listener.say) if ranks.first else None
        )

    def train(self) -> None:
        """Train and evaluate all networks of the run that have no results yet.

        Raises:
            InputError: a network diverged, a checkpoint is damaged, the GPU has too little memory,
                or a file cannot be written.
        """
        try:
            for name in self._run.settings.networks:
                if name in self._run.results:
                    continue
                if not self._run.has(name):
                    self._make(name)
                if self._records is not None:
                    self._evaluate(name)
                self._ranks.wait_for_first()
                self._run.reload()  # the others see what it wrote
        except torch.cuda.OutOfMemoryError as error:
            raise InputError(
                'the GPU has too little memory for this; lower --batch, --size or --width, or give '
                'it to this run alone'
            ) from error
        finally:
            if self._records is not None:
                self._records.close()

    def _make(self, name: str) -> None:
        if name not in self._run.settings.keep:
            self._train(name)
        elif self._ranks.first:
            self._listener.say(f'{name}: taken over from {self._run.settings.start}')
            keep_network(name, self._run)

    def _train(self, name: str) -> None:
        run, settings, kind = self._run, self._run.settings, self._run.settings.kind(name)
        if self._frames is None:
            recipe = settings.recipe
            self._frames = TrainingFrames(
                self._data, self._device, recipe.class_weighting, recipe.logit_weighting
            )
        teacher = None
        if kind.teacher:
            teacher = frozen(self._placed(load_teacher(run, self._frames)))
        if kind.masked == CHOSEN:
            self._choose(teacher)
        torch.manual_seed(settings.seed)
        network = started_network(name, run, self._frames, self._listener.say)
        goes_on = network is not None
        if goes_on:
            network = self._placed(network)
        else:
            network = self._load(kind.start) if kind.start else self._placed(run.new_network())
        plan = run.plan(name)
        if plan is not None:
            network.set_precision(network.head.precision, plan)
        trainer = Trainer(
            network,
            teacher,
            stages(kind, settings.recipe, deployed=goes_on),
            self._frames,
            settings.recipe,
            seconds=settings.seconds(name),
            seed=RANK_SEEDS * (len(NETWORKS) * settings.seed + list(NETWORKS).index(name)),
            ranks=self._ranks,
            watch=self._watch(name),
        )
        saved = run.checkpoint(name)
        if saved is not None:
            trainer.load_state(saved)
        if self._records is not None:
            self._records.start(name, trainer.progress.steps)
        try:
            trainer.run()
        except Diverged as error:
            if not self._ranks.first:  # all of them diverged together
                raise SystemExit(2) from error
            raise InputError(f'{name}: {error}; {self._kept(name)}') from error
        if self._ranks.first:
            run.save_network(name, network, trainer.progress)

    def _choose(self, teacher: nn.Module) -> None:
        run = self._run
        if run.choice is not None:
            return
        run.choice = started_choice(run)
        if run.choice is None:
            self._listener.say('chosen: measuring what each layer gains by a second plane')
            masked = self._load('masked')
            run.choice = self._ranks.from_first(
                lambda: choose(masked, teacher, self._data, run.settings)
            )
        if self._ranks.first:
            run.save()

    def _evaluate(self, name: str) -> None:
        run = self._run
        self._listener.say(f'{name}: evaluating')
        run.results[name] = evaluate_network(
            run, name, self._load(name), run.progress(name), self._data
        )
        run.save()
        run.checkpoint_path.unlink(missing_ok=True)
        self._records.ended(name)
        self._listener.ended(name)

    def _watch(self, name: str) -> Watch:
        data, run = self._data, self._run
        if self._records is None:
            return Watch()

        def look(network: UNet) -> float:
            return evaluate(network, data.looks, run.mean, len(data.classes)).miou()

        return Watch(
            step=lambda *args: self._listener.step(name, *args),
            point=self._records.point,
            evaluate=look if data.looks is not None else None,
            save=lambda state: run.save_checkpoint(name, state),
        )

    def _load(self, name: str) -> UNet:
        return self._placed(self._run.network(name))

    def _placed(self, network: AnyNetwork) -> AnyNetwork:
        return network.to(self._device, memory_format=torch.channels_last)

    def _kept(self, name: str) -> str:
        run = self._run
        kept = [other for other in NETWORKS if run.has(other)]
        if run.checkpoint(name) is not None:
            kept.append(f'the last good state of {name} (checkpoint.pt)')
        return (
            f'{run.folder} keeps {", ".join(kept) or "no network yet"}: try again from there with '
            '--resume, or start anew with a lower --learning-rate'
        )
