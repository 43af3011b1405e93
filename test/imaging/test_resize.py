# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np

from mbu_ros.imaging.resize import resize_frame, resize_mask


def test_mask_takes_the_pixel_under_each_centre():
    mask = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for height, width in [(3, 4), (6, 8), (7, 5), (1, 1), (2, 9)]:
        resized = resize_mask(mask, height, width)
        for y in range(height):
            for x in range(width):
                row, column = int((y + 0.5) * 3 / height), int((x + 0.5) * 4 / width)
                assert resized[y, x] == mask[row, column]


def test_frame_of_the_right_size_is_left_alone():
    frame = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_frame(frame, 20, 30), frame)


def test_frame_is_interpolated_between_pixel_centres():
    frame = np.zeros((1, 2, 3), np.uint8)
    frame[0, 1] = 200
    # Centres of the four new pixels lie at -0.25, 0.25, 0.75 and 1.25 of the old ones.
    assert resize_frame(frame, 1, 4)[0, :, 0].tolist() == [0, 50, 150, 200]
