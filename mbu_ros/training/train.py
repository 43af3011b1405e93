# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: stages under a time budget, with checkpoints to resume from."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mbu_ros.errors import InputError
from mbu_ros.model.structure import padded_size
from mbu_ros.network.masking import make_plan
from mbu_ros.network.unet import Precision, UNet
from mbu_ros.replacing import replacing
from mbu_ros.training.augment import augment
from mbu_ros.training.checkpoint import load_checkpoint, save_checkpoint
from mbu_ros.training.datasets import Split, TrainingData
from mbu_ros.training.distill import class_weights, total_loss
from mbu_ros.training.recipe import STAGES, Settings, Stage
from mbu_ros.training.validate import evaluate

CHECKPOINT_SECONDS = 45.0
"""A killed run loses at most about this much."""
WARM_UP = 0.02
"""Share of a stage in which the learning rate rises."""
LOSS_EVERY = 10
"""Steps between looks at the loss, each of which waits for the device."""
SETTLE_STEPS = 50
"""Batches over which batch norm's statistics are taken anew once a stage's weights are final."""

Report = Callable[[str, float, float], None]
"""Called after each step with the stage's name, its progress in [0, 1] and the last loss seen."""
StageEnded = Callable[[str, float], None]
"""Called after each stage with its name and the network's mIoU on the val split."""


@dataclass
class Progress:
    """Where a run is: the stage, the seconds spent in it, all steps, and mIoU per ended stage."""

    stage: int = 0
    elapsed: float = 0.0
    steps: int = 0
    miou: dict[str, float] = field(default_factory=dict)


class Trainer:
    """Trains one network on one device.

    Args:
        data: what to learn.
        settings: how.
        out: folder of `checkpoint.pt`.
        device: 'cuda' or 'cpu'.
        resume: go on from the checkpoint in `out` where there is one.

    Raises:
        InputError: the mask plan names no layer, or the checkpoint is of another run.
    """

    def __init__(
        self,
        data: TrainingData,
        settings: Settings,
        out: Path,
        *,
        device: str,
        resume: bool = False,
    ) -> None:
        self.data, self.settings, self.device = data, settings, torch.device(device)
        self.checkpoint_path = out / 'checkpoint.pt'
        height, width = data.train.images.shape[1:3]
        rows, columns = padded_size(height, width, settings.depth)
        if settings.batch * (rows >> settings.depth) * (columns >> settings.depth) < 2:
            raise InputError(
                f'a batch of {settings.batch} frames of {width}x{height} is one pixel at depth '
                f'{settings.depth}, of which batch norm can learn nothing; raise --batch or --size'
            )
        with replacing(out / '.writable'):  # said now, not at the first checkpoint
            pass
        (out / '.writable').unlink()
        torch.manual_seed(settings.seed)
        self.network = UNet(settings.width, settings.depth, len(data.classes))
        self.plan = make_plan(self.network.shapes, settings.masked)
        self.network.set_precision(Precision.FLOAT, self.plan)
        self.network.to(self.device, memory_format=torch.channels_last)
        self.teacher: UNet | None = None
        self.mean = data.mean
        self.progress = Progress()
        self._saved: dict[str, Any] = {}
        self._generator = torch.Generator(self.device).manual_seed(settings.seed)
        if resume and self.checkpoint_path.exists():
            self._restore()
        self._center = torch.tensor(self.mean, dtype=torch.float32, device=self.device)
        self._center = self._center.reshape(1, 3, 1, 1)
        self._images, self._labels = _to_device(data.train, self.device)
        self._weights = torch.from_numpy(
            class_weights(data.train.labels, len(data.classes))
        ).to(self.device)

    def run(
        self,
        report: Report = lambda stage, progress, loss: None,
        ended: StageEnded = lambda stage, miou: None,
    ) -> UNet:
        """Train through all stages that are left; returns the network, quantised.

        Raises:
            InputError: the loss is no longer a finite number; the last checkpoint stands.
        """
        torch.backends.cudnn.benchmark = True
        while self.progress.stage < len(STAGES):
            stage = STAGES[self.progress.stage]
            self._run_stage(stage, report)
            confusion = evaluate(
                self.network, self.data.val, self.mean, len(self.data.classes)
            )
            self.progress.miou[stage.name] = confusion.miou()
            if stage.precision is Precision.FLOAT:
                self.teacher = _frozen_copy(self.network)
            self.progress.stage += 1
            self.progress.elapsed = 0.0
            self._saved = {}
            self._save()
            ended(stage.name, self.progress.miou[stage.name])
        self.network.set_precision(Precision.QUANTIZED)
        return self.network.eval()

    def _run_stage(self, stage: Stage, report: Report) -> None:
        budget = 60 * self.settings.minutes * stage.share
        network = self.network.set_precision(stage.precision).train()
        optimizer = torch.optim.AdamW(
            network.parameters(), self.settings.learning_rate, weight_decay=stage.weight_decay
        )
        mixed = self.device.type == 'cuda'
        scaler = torch.amp.GradScaler(self.device.type, enabled=mixed)
        if self._saved:
            optimizer.load_state_dict(self._saved['optimizer'])
            scaler.load_state_dict(self._saved['scaler'])
        before = self.progress.elapsed
        start = last_save = time.monotonic()
        value = math.nan  # until the first look
        # At least one step, however small the budget, so that no stage is skipped.
        while True:
            share = min(1.0, self.progress.elapsed / budget)
            for group in optimizer.param_groups:
                group['lr'] = self.settings.learning_rate * _schedule(share)
            images, labels = self._batch()
            teacher = self.teacher if stage.distilled else None
            with torch.autocast(self.device.type, torch.float16, enabled=mixed):
                target = None
                if teacher is not None:
                    with torch.no_grad():
                        target = teacher(images)
                loss = total_loss(network(images), labels, self._weights, target)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            self.progress.steps += 1
            now = time.monotonic()
            self.progress.elapsed = before + now - start
            ending = self.progress.elapsed >= budget
            saving = now - last_save >= CHECKPOINT_SECONDS
            # Before anything is saved, so that a checkpoint is always a good one.
            if ending or saving or self.progress.steps % LOSS_EVERY == 0:
                value = loss.item()
                self._check(value, stage, weights=ending or saving)
            report(stage.name, min(1.0, self.progress.elapsed / budget), value)
            if ending:
                break
            if saving:
                self._save(optimizer=optimizer.state_dict(), scaler=scaler.state_dict())
                last_save = now
        self._settle()

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        index = torch.randint(
            len(self._images),
            (self.settings.batch,),
            generator=self._generator,
            device=self.device,
        )
        images, labels = augment(
            self._images[index], self._labels[index], self._center, self._generator
        )
        return images.contiguous(memory_format=torch.channels_last), labels

    @torch.no_grad()
    def _settle(self) -> None:
        """Take batch norm's statistics anew, as plain means: the running ones lag the weights."""
        norms = [m for m in self.network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # cumulative average
        self.network.train()
        for _ in range(SETTLE_STEPS):
            self.network(self._batch()[0])
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum

    def _check(self, loss: float, stage: Stage, *, weights: bool) -> None:
        good = math.isfinite(loss)
        if weights and good:  # a step can spoil them after a loss that was still good
            good = all(bool(p.isfinite().all()) for p in self.network.parameters())
        if not good:
            kept = (
                f'the last good state is in {self.checkpoint_path}'
                if self.checkpoint_path.exists()
                else 'no checkpoint was written yet'
            )
            raise InputError(
                f'training diverged in stage {stage.name!r}, with a loss of {loss}; {kept}; '
                'lower --learning-rate'
            )

    def _identity(self) -> dict[str, Any]:
        """What a run that goes on from a checkpoint must have in common with the one it is of."""
        return {
            'settings': self.settings.as_dict(),
            'data': self.data.name,
            'source': self.data.source,
            'frames': len(self.data.train),
            'device': self.device.type,
            'classes': list(self.data.classes.names),
            'input_size': list(self.data.train.images.shape[1:3]),
        }

    def _save(self, **states: dict) -> None:
        """Write the checkpoint; within a stage, with the states of optimizer and scaler."""
        content: dict[str, Any] = {
            **self._identity(),
            'colors': [list(color) for color in self.data.classes.colors],
            'mean': list(self.mean),
            'progress': vars(self.progress),
            'network': self.network.state_dict(),
            'teacher': None if self.teacher is None else self.teacher.state_dict(),
            'generator': self._generator.get_state(),
            **states,
        }
        save_checkpoint(self.checkpoint_path, content)

    def _restore(self) -> None:
        content = load_checkpoint(self.checkpoint_path)
        for name, here in self._identity().items():
            if content[name] != here:
                raise InputError(
                    f'{self.checkpoint_path} is of a run with {name} {content[name]}, not {here}; '
                    'give the same arguments, or another --out'
                )
        self.progress = Progress(**content['progress'])
        self.mean = tuple(content['mean'])
        self.network.load_state_dict(content['network'])
        if content['teacher'] is not None:
            self.teacher = _frozen_copy(self.network)
            self.teacher.load_state_dict(content['teacher'])
        self._generator.set_state(content['generator'])
        self._saved = content if 'optimizer' in content else {}


def _schedule(progress: float) -> float:
    """Factor of the learning rate: a short rise, then a cosine to 0."""
    if progress < WARM_UP:
        return max(progress / WARM_UP, 0.01)
    return 0.5 * (1 + math.cos(math.pi * progress))


def _frozen_copy(network: UNet) -> UNet:
    teacher = copy.deepcopy(network).set_precision(Precision.FLOAT).eval()
    return teacher.requires_grad_(False)


def _to_device(split: Split, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The whole split on the device as bytes: [N, 3, H, W] and [N, H, W]."""
    images = torch.from_numpy(np.ascontiguousarray(split.images.transpose(0, 3, 1, 2)))
    return images.to(device), torch.from_numpy(split.labels).to(device)
