# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A network of one kernel, for tests of what is around kernels: the label is red modulo 4."""

import numpy as np

from mbu_ros.engine.cuda.launch import Buffer, Constant, Launch, Plan
from mbu_ros.imaging.resize import resize_mask

from .fake_gpu import view

CONSTANTS = {'modulus': np.array([4], np.uint8), 'unused': np.zeros(300, np.float32)}


def plan(model, batch, confidence, limits, instruction=None):
    pixels = batch * model.input_size[0] * model.input_size[1]
    names = ['labels', 'confidence'] if confidence else ['labels']
    launch = Launch(
        'toy',
        'toy',
        'toy',
        (1, 1, 1),
        (32, 1, 1),
        0,
        (
            *(Buffer('image'), Constant('modulus'), pixels, 0.25),
            *(Buffer(name) for name in ('labels', names[-1])),
        ),
    )
    return Plan({'image': 4 * pixels, 'labels': pixels, 'confidence': 4 * pixels}, [launch])


def toy(image, modulus, pixels, score, labels, confidence):
    red = view(image, 4 * pixels)[::4]
    if confidence != labels:
        view(confidence, pixels, np.float32)[:] = score
    view(labels, pixels)[:] = red % view(modulus, 1)[0]


def convert(frame, width, height, step, image, slot, padded_width, padded_height, padding):
    put(image, slot, read(frame, width, height, step), padded_width, padded_height)


def resize(
    *arguments,  # frame, width, height, step; two tables; what follows
):
    frame, width, height, step, _, _, columns, rows, image, slot, *size, _ = arguments
    put(image, slot, resize_mask(read(frame, width, height, step), rows, columns), *size)


def read(frame, width, height, step):
    return view(frame, height * step).reshape(height, step)[:, : 3 * width : 3]


def put(image, slot, red, width, height):
    assert red.shape == (height, width)  # models of these tests need no padding
    view(image + 4 * slot * red.size, 4 * red.size)[::4] = red.reshape(-1)


def resize_labels(source, slot, width, height, _, __, target, to_width, to_height, dtype=np.uint8):
    count = width * height
    labels = view(source, (slot + 1) * count, dtype)[slot * count :].reshape(height, width)
    view(target, to_width * to_height, dtype)[:] = resize_mask(
        labels, to_height, to_width
    ).reshape(-1)


def resize_scores(*arguments):
    resize_labels(*arguments, dtype=np.float32)


KERNELS = {
    'toy': toy,
    'convert_rgb8': convert,
    'resize_rgb8': resize,
    'resize_labels': resize_labels,
    'resize_scores': resize_scores,
}


def expected(frame, model):
    """The mask of a frame."""
    red = resize_mask(frame[..., 0], *model.input_size)
    return resize_mask(red % 4, *frame.shape[:2])
