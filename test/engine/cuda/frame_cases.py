# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames and what the CPU path makes of them, for the tests of the frame kernels on CPU and GPU."""

import types

import numpy as np

from mbu_ros.engine.cuda.frame_format import FrameFormat
from mbu_ros.engine.cuda.frame_plan import frame_constants, input_launches, mask_launches
from mbu_ros.imaging.messages import to_rgb
from mbu_ros.imaging.resize import resize_frame, resize_mask
from mbu_ros.model.random import random_model
from mbu_ros.model.structure import padded_size

PIXEL_BYTES = {
    **{'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4},
    **{'mono8': 1, '8UC1': 1, 'nv12': 1},
}
"""Of a row; all others have 2."""

EXTREMES = np.array([0, 1, 15, 16, 17, 127, 128, 129, 254, 255], np.uint8)
"""Values around which the conversion of colours clamps or changes sign."""

# Network size and depth, frame size. Odd sizes are made even for encodings that need it.
CASES = [
    ((16, 32), 2, (16, 32)),  # as it is, no padding
    ((17, 30), 2, (17, 30)),  # as it is, padded to 20 x 32
    ((9, 7), 3, (9, 7)),
    ((6, 10), 1, (6, 10)),  # padded rows are no multiple of 16 bytes
    ((48, 64), 2, (31, 45)),  # larger
    ((33, 37), 3, (101, 75)),  # smaller
    ((30, 46), 1, (60, 92)),  # half
    ((20, 33), 2, (20, 67)),  # along one axis only
    ((16, 16), 4, (1, 1)),
    ((18, 20), 2, (2, 131)),
    ((3, 3), 2, (1, 64)),
]


def make_format(encoding, size, extra=0):
    """A format of about that size, with so many bytes after each row."""
    height, width = size
    if encoding not in ('rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', '8UC1'):
        width += width % 2
    if encoding == 'nv12':
        height += height % 2
    return FrameFormat(encoding, height, width, width * PIXEL_BYTES.get(encoding, 2) + extra)


def make_model(network_size, depth):
    return random_model(depth=depth, input_size=network_size, seed=network_size[0])


def random_bytes(format, seed=0):
    """A frame: half of its bytes random, half `EXTREMES`."""
    random = np.random.default_rng(seed)
    data = random.integers(0, 256, format.bytes, np.uint8)
    extreme = random.choice(EXTREMES, len(data))
    return np.where(random.random(len(data)) < 0.5, data, extreme)


def expected_image(model, format, data):
    """The network's image as the CPU path makes it: int8 [padded height, padded width, 4]."""
    message = types.SimpleNamespace(
        encoding=format.encoding,
        height=format.height,
        width=format.width,
        step=format.step,
        data=data,
        is_bigendian=0,
    )
    height, width = model.input_size
    image = np.zeros((*padded_size(height, width, model.depth), 4), np.int16)
    image[..., :3] = np.array(model.mean) - 128
    image[:height, :width, :3] = resize_frame(to_rgb(message), height, width).astype(np.int16) - 128
    return image.astype(np.int8)


def check_input(run_launches, encoding, case, extra=0, slots=1):
    """Run frames of one case through input launches; every byte must be the CPU path's."""
    network_size, depth, frame_size = case
    model = make_model(network_size, depth)
    format = make_format(encoding, frame_size, extra)
    frames = [random_bytes(format, seed) for seed in range(slots)]
    expected = [expected_image(model, format, frame) for frame in frames]
    # One slot more than there are frames, between them, must stay untouched.
    used = [slot + (slot > 0) for slot in range(slots)]
    size = expected[0].nbytes
    result = run_launches(
        [launch for slot in used for launch in input_launches(model, format, slot)],
        frame_constants(model, format),
        {'image': size * 3, **{f'frame{slot}': frame for slot, frame in zip(used, frames)}},
    )
    image = result['image'].reshape(3, size)
    for slot in range(3):
        if slot in used:
            wanted = expected[used.index(slot)].view(np.uint8).reshape(-1)
        else:
            wanted = np.full(size, 0xA5, np.uint8)
        np.testing.assert_array_equal(image[slot], wanted, f'slot {slot} of {format}')


def check_mask(run_launches, case, slot=0):
    """Run labels and scores of one case through mask launches; each must be `resize_mask`'s."""
    network_size, depth, frame_size = case
    model = make_model(network_size, depth)
    format = make_format('rgb8', frame_size)
    random = np.random.default_rng(slot)
    labels = random.integers(0, 256, (slot + 1, *network_size), np.uint8)
    scores = random.random((slot + 1, *network_size), np.float32)
    pixels = format.height * format.width
    result = run_launches(
        mask_launches(model, format, slot, confidence=True),
        frame_constants(model, format),
        {
            'labels': labels,
            'confidence': scores,
            f'mask{slot}': pixels,
            f'scores{slot}': 4 * pixels,
        },
    )
    for name, values in (('mask', labels), ('scores', scores)):
        found = result[f'{name}{slot}'].view(values.dtype).reshape(frame_size)
        np.testing.assert_array_equal(found, resize_mask(values[slot], *frame_size))
