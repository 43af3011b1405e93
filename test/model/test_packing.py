# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mbu_ros.model.packing import pack, pack_sources, source_words, unpack, unpack_sources, words


@pytest.mark.parametrize('channels', [1, 3, 16, 31, 32, 33, 63, 64, 100])
def test_unpack_undoes_pack(channels):
    bits = np.random.default_rng(channels).random((2, 5, channels)) < 0.5
    packed = pack(bits)
    assert packed.dtype == np.uint32
    assert packed.shape == (2, 5, words(channels))
    np.testing.assert_array_equal(unpack(packed, channels), bits)


@pytest.mark.parametrize('channel', [0, 7, 8, 31, 32, 40])
def test_channel_goes_to_its_bit(channel):
    bits = np.zeros(48, bool)
    bits[channel] = True
    expected = np.zeros(2, np.uint32)
    expected[channel // 32] = np.uint32(1) << np.uint32(channel % 32)
    np.testing.assert_array_equal(pack(bits), expected)


def test_bits_beyond_the_last_channel_are_zero():
    assert pack(np.ones(5, bool)).tolist() == [0b11111]


@pytest.mark.parametrize('in_channels', [(16,), (16, 16), (48, 48), (64, 33)])
def test_each_source_starts_on_a_word(in_channels):
    bits = np.random.default_rng(1).random((3, sum(in_channels))) < 0.5
    packed = pack_sources(bits, in_channels)
    assert packed.shape == (3, source_words(in_channels))
    second = words(in_channels[0])
    np.testing.assert_array_equal(packed[:, :second], pack(bits[:, : in_channels[0]]))
    if len(in_channels) == 2:
        np.testing.assert_array_equal(packed[:, second:], pack(bits[:, in_channels[0] :]))
    np.testing.assert_array_equal(unpack_sources(packed, in_channels), bits)
