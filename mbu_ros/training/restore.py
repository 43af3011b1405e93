# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a finished run's checkpoint to its network and its deployed model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mbu_ros.data.sample import ClassMap
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.errors import InputError
from mbu_ros.model.deployed import Model
from mbu_ros.network.deploy import deploy
from mbu_ros.network.masking import make_plan
from mbu_ros.network.unet import Precision, UNet
from mbu_ros.training.checkpoint import load_checkpoint
from mbu_ros.training.datasets import Split
from mbu_ros.training.recipe import STAGES, Settings
from mbu_ros.training.validate import predict


def restore(checkpoint: Path, name: str | None = None) -> tuple[UNet, Model]:
    """The trained network of a finished run, quantised and on the CPU, and its deployed model.

    Args:
        checkpoint: `checkpoint.pt` of `mbu train`.
        name: the model's name; its data's where None.

    Raises:
        InputError: the checkpoint is unusable, or its run has not ended.
    """
    content = load_checkpoint(checkpoint)
    progress, settings = content['progress'], Settings(**content['settings'])
    if progress['stage'] < len(STAGES):
        raise InputError(
            f'{checkpoint}: its run is still in stage {STAGES[progress["stage"]].name!r}; '
            'finish it with `mbu train ... --resume`'
        )
    name = name or content['data']
    if Path(name).name != name:
        raise InputError(f'{name!r} is no name for a model, which is a file name; give --name')
    classes = ClassMap(
        tuple(content['classes']), tuple(tuple(color) for color in content['colors'])
    )
    network = UNet(settings.width, settings.depth, len(classes))
    network.load_state_dict(content['network'])
    network.set_precision(
        Precision.QUANTIZED, make_plan(network.shapes, settings.masked)
    ).eval()
    model = deploy(
        network,
        name=name,
        classes=classes,
        input_size=tuple(content['input_size']),
        mean=tuple(content['mean']),
        training={
            'data': content['data'],
            'source': content['source'],
            'settings': content['settings'],
            'steps': progress['steps'],
            'val_miou': {stage: round(miou, 4) for stage, miou in progress['miou'].items()},
        },
    )
    return network, model


def agreement(network: UNet, model: Model, split: Split) -> float:
    """Share of a split's pixels, in [0, 1], on which the trained and the integer network agree.

    Both see the split's own frames, which are of the network's input size.
    """
    engine = ReferenceEngine(model)
    try:
        equal = [
            np.mean(engine.logits(image).argmax(axis=-1) == labels)
            for image, labels in zip(split.images, predict(network, split, model.mean, batch=1))
        ]
    finally:
        engine.close()
    return float(np.mean(equal))
