# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `test_distributed` starts with torchrun: `mbu` that writes down what each process did."""

import os
import sys
import zlib
from pathlib import Path

import torch

from mbu_ros.cli import main
from mbu_ros.training import train
from mbu_ros.training.steps import Steps
from mbu_ros.training.train import Trainer


def record(folder: Path) -> None:
    """Each process writes RANK.pt: a digest of each batch, weights after each step and training."""
    weights, batches, heads = [], [], []
    run, step = Trainer.run, Steps.step

    def recorded_run(trainer):
        network = run(trainer)
        weights.append({name: value.clone() for name, value in network.state_dict().items()})
        content = {'weights': weights, 'batches': batches, 'heads': heads}
        torch.save(content, folder / f'{os.environ["RANK"]}.pt')
        return network

    def recorded_step(steps, batch, progress):
        batches.append((len(batch.images), zlib.crc32(batch.images.numpy().tobytes())))
        loss = step(steps, batch, progress)
        heads.append(steps._network.head.conv.weight.detach().clone())
        return loss

    Trainer.run, Steps.step = recorded_run, recorded_step
    train.SETTLE_STEPS = train.CURVE_SETTLE_STEPS = 2


if __name__ == '__main__':
    record(Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
