# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Colours and overlays, pixel by pixel."""

import numpy as np

from mbu_ros.imaging.overlay import colorize, overlay

COLORS = ((10, 20, 30), (200, 100, 0))


def test_colorize_paints_classes_in_rgb_and_everything_else_black():
    labels = np.array([[0, 1], [255, 7]], np.uint8)
    painted = colorize(labels, COLORS)
    assert painted.dtype == np.uint8
    assert painted.tolist() == [[[10, 20, 30], [200, 100, 0]], [[0, 0, 0], [0, 0, 0]]]


def test_overlay_blends_and_keeps_unlabelled_pixels():
    image = np.full((2, 2, 3), 100, np.uint8)
    labels = np.array([[0, 1], [255, 0]], np.uint8)
    blended = overlay(image, labels, COLORS, alpha=0.5)
    assert blended.tolist() == [[[55, 60, 65], [150, 100, 50]], [[100] * 3, [55, 60, 65]]]
    assert (image == 100).all()


def test_overlay_alpha_goes_from_image_to_colours():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    labels = random.integers(0, 2, (5, 7), dtype=np.uint8)
    assert (overlay(image, labels, COLORS, alpha=0) == image).all()
    assert (overlay(image, labels, COLORS, alpha=1) == colorize(labels, COLORS)).all()


def test_read_only_and_strided_input_works():
    # Frames of ROS messages are read-only views; crops are strided ones.
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    labels = random.choice(np.array([0, 1, 255], np.uint8), (6, 8))
    expected = overlay(image, labels, COLORS)[::2, 1:5]
    image.flags.writeable = labels.flags.writeable = False
    assert (overlay(image[::2, 1:5], labels[::2, 1:5], COLORS) == expected).all()


def test_overlay_of_one_pixel():
    image = np.full((1, 1, 3), 100, np.uint8)
    assert overlay(image, np.array([[255]], np.uint8), COLORS).tolist() == [[[100] * 3]]
    assert overlay(image, np.array([[1]], np.uint8), COLORS).tolist() == [[[150, 100, 50]]]
