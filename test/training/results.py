# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Results of a run as `run.json` has them: five networks of width 64 on frames of 480x360."""

import math

import numpy as np

from mbu_ros.model.structure import layer_shapes
from mbu_ros.network.masking import make_plan
from mbu_ros.training.table import Heading

CLASSES = (
    *('sky', 'building', 'pole', 'road', 'pavement', 'tree'),
    *('sign', 'fence', 'car', 'pedestrian', 'bicyclist'),
)
HEADING = Heading('camvid', CLASSES, (360, 480), 64, 4, 'standard', 30.0, 0)
NEVER = CLASSES.index('sign')
"""A class that occurs neither in the labels nor in the masks."""
# Their mean is 0.65.
IOU = (0.90, 0.75, 0.25, 0.92, 0.75, 0.72, None, 0.28, 0.80, 0.48, 0.65)
BINARY_OPERATIONS = 259_878_420_480
"""Twice the multiply-adds of such a network, 368x480 with the padding."""
MIOU = {
    'float': 0.6570,
    'float_longer': 0.6612,
    'masked': 0.6583,
    'chosen': 0.6559,
    'binary': 0.5931,
}


def history(seconds, miou, seed, points=400):
    """Points of a network's training in two stages: a noisy loss, and val mIoU now and then."""
    random = np.random.default_rng(seed)
    entries = []
    for index in range(points):
        share = index / (points - 1)
        entries.append({
            'step': 10 * (index + 1),
            'seconds': seconds * share,
            'stage': 'first' if share < 0.3 else 'second',
            'loss': float(math.exp(-3 * share) * random.lognormal(0, 0.3)),
            'learning_rate': 1e-3 * 0.5 * (1 + math.cos(math.pi * share)),
            'val_miou': miou * (1 - 0.4 * math.exp(-4 * share)) if index % 50 == 49 else None,
        })
    return entries


def result(name, seed):
    shapes = layer_shapes(64, 4, len(CLASSES))
    quantized = not name.startswith('float')
    masked = {'masked': 'all', 'chosen': 'decoder.*.conv1,up.*', 'binary': 'none'}
    operations = {
        'masked': 518_897_664_000,
        # One more plane in four layers of 26,046,627,840 and four of 2,894,069,760.
        'chosen': 375_641_210_880,
    }
    sizes = {'masked': 7_790_000, 'chosen': 5_310_000, 'binary': 3_925_000}
    shift = MIOU[name] - 0.65
    return {
        'precision': 'quantized' if quantized else 'float',
        'plan': make_plan(shapes, masked[name]) if quantized else None,
        'miou': MIOU[name],
        'pixel_accuracy': 0.9012 + shift / 4,
        'iou': [None if iou is None else iou + shift for iou in IOU],
        'split': 'val',
        'bytes': sizes.get(name, 62_085_000),
        'operations': operations.get(name, BINARY_OPERATIONS),
        'operation_kind': 'binary' if quantized else 'fp16',
        'seconds': 396.0,
        'steps': 4000,
        'images_per_second': 180.4 if quantized else 412.7,
        'agreement': 0.99987 if quantized else None,
        'integer_miou': MIOU[name] if quantized else None,
        'history': history(396.0, MIOU[name], seed),
    }


def results():
    return {name: result(name, seed) for seed, name in enumerate(MIOU)}
