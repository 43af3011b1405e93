# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a trained network is worth: its entry of a run's results.

    precision          'float' or 'quantized'
    plan               planes per binary layer; null for a float network
    miou, pixel_accuracy   in [0, 1], on the split; of the integer network where it is quantised
    iou                by class, in the classes' order; null where a class occurs nowhere
    split              'val' or 'test'
    bytes              of the deployed file; of the FP16 parameters of a float network, its batch
                       norms folded
    operations         of one frame: two per multiply-add, and per plane
    operation_kind     'binary' or 'fp16'
    seconds, steps     of its own training
    selected_step      after which of them it was what it is, where the best look was selected; null
                       without that
    images_per_second  in training
    trained_miou       of the network in PyTorch
    integer_miou, agreement   of the integer network, and the share in [0, 1] of the split's pixels
                       on which both agree; null for a float network
    history            its learning curve, see `train.Progress`
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from mbu_ros.evaluation.metrics import ConfusionMatrix
from mbu_ros.model.deployed import Model
from mbu_ros.model.file import save_model
from mbu_ros.network.masking import make_plan, plan_operations
from mbu_ros.network.unet import UNet
from mbu_ros.training.datasets import Split, TrainingData
from mbu_ros.training.deployment import deploy_network
from mbu_ros.training.integer import integer_labels
from mbu_ros.training.networks import NETWORKS
from mbu_ros.training.progress import Progress
from mbu_ros.training.run import Run
from mbu_ros.training.validate import evaluate, predict


def evaluate_network(
    run: Run, name: str, network: UNet, progress: Progress, data: TrainingData
) -> dict[str, Any]:
    """Evaluate a network of a run; deploy it where it is quantised, and write its model file.

    Args:
        run: has the network.
        name: which one it is.
        network: at its precision, in `eval`, on any device.
        progress: what its training took.
        data: whose split it is evaluated on.

    Returns:
        The entry; the module describes its keys.

    Raises:
        InputError: the model file cannot be written, or parameters are not finite.
    """
    split, classes = data.val, len(data.classes)
    trained = list(predict(network, split, run.mean))
    miou = _confusion(split, trained, classes).miou()
    looks = data.looks
    # The end of its curve, unless training has evaluated it there.
    if looks is not None and progress.history and progress.selected_step is None:
        seen = miou if looks is split else evaluate(network, looks, run.mean, classes).miou()
        progress.history[-1]['val_miou'] = _defined(seen)
    entry = {
        'precision': 'quantized' if NETWORKS[name].quantized else 'float',
        'plan': network.plan if NETWORKS[name].quantized else None,
        'split': data.eval_split,
        'seconds': progress.seconds,
        'steps': progress.steps,
        'selected_step': progress.selected_step,
        'images_per_second': (
            run.settings.recipe.batch * progress.steps / progress.seconds
            if progress.seconds
            else None
        ),
        'trained_miou': _defined(miou),
        'history': progress.history,
    }
    if not NETWORKS[name].quantized:
        plan = make_plan(network.shapes, 'none')
        return {
            **entry,
            **_figures(split, trained, classes),
            'bytes': 2 * sum(shape.weights + shape.out_channels for shape in network.shapes),
            'operations': plan_operations(network.shapes, run.input_size, plan),
            'operation_kind': 'fp16',
            'integer_miou': None,
            'agreement': None,
        }
    model = deploy_network(run, name, f'{run.name}_{name}')
    integer = list(integer_labels(model, split.images))
    figures = _figures(split, integer, classes)
    summary = model.training[f'{data.eval_split}_miou']
    path = run.model_path(name)
    save_model(
        dataclasses.replace(
            model,
            training={
                **model.training,
                f'{data.eval_split}_miou': {**summary, name: round(figures['miou'], 4)},
            },
        ),
        path,
    )
    return {
        **entry,
        **figures,
        'bytes': path.stat().st_size,
        'operations': plan_operations(network.shapes, run.input_size, network.plan),
        'operation_kind': 'binary',
        'integer_miou': figures['miou'],
        'agreement': float(np.mean(np.stack(trained) == np.stack(integer))),
    }


def agreement(network: UNet, model: Model, split: Split) -> float:
    """Share of a split's pixels, in [0, 1], on which a trained and the integer network agree.

    Both see the split's own frames, which are of the model's input size.
    """
    trained = predict(network, split, model.mean)
    integer = integer_labels(model, split.images)
    return float(np.mean([np.mean(a == b) for a, b in zip(trained, integer, strict=True)]))


def _figures(split: Split, labels: list[np.ndarray], classes: int) -> dict[str, Any]:
    confusion = _confusion(split, labels, classes)
    return {
        'miou': _defined(confusion.miou()),
        'pixel_accuracy': _defined(confusion.pixel_accuracy()),
        'iou': [_defined(iou) for iou in confusion.iou().tolist()],
    }


def _confusion(split: Split, labels: list[np.ndarray], classes: int) -> ConfusionMatrix:
    confusion = ConfusionMatrix(classes)
    for label, prediction in zip(split.labels, labels, strict=True):
        confusion.add(label, prediction)
    return confusion


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
