# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bits into 32-bit words and back.

Channel c of a tensor goes to bit c % 32 (lowest first) of word c // 32. A layer that reads two
tensors has the words of the first, then those of the second, so that each starts on a whole word.
Bits beyond the last channel are 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WORD = 32


def words(channels: int) -> int:
    """Number of 32-bit words that hold so many channels."""
    return -(-channels // WORD)


def pack(bits: np.ndarray) -> np.ndarray:
    """Pack the last axis: bool or 0/1 [..., channels] to uint32 [..., words(channels)]."""
    bits = np.asarray(bits)
    missing = words(bits.shape[-1]) * WORD - bits.shape[-1]
    padded = np.pad(bits.astype(bool), [(0, 0)] * (bits.ndim - 1) + [(0, missing)])
    packed = np.packbits(padded, axis=-1, bitorder='little')
    return np.ascontiguousarray(packed).view('<u4').astype(np.uint32)


def unpack(packed: np.ndarray, channels: int) -> np.ndarray:
    """Undo `pack`: uint32 [..., words(channels)] to bool [..., channels]."""
    octets = np.ascontiguousarray(packed, dtype='<u4').view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=channels, bitorder='little').astype(bool)


def pack_sources(bits: np.ndarray, in_channels: Sequence[int]) -> np.ndarray:
    """Pack [..., sum(in_channels)] so that each source tensor starts on a whole word."""
    edges = np.cumsum(in_channels)[:-1]
    return np.concatenate([pack(part) for part in np.split(bits, edges, axis=-1)], axis=-1)


def unpack_sources(packed: np.ndarray, in_channels: Sequence[int]) -> np.ndarray:
    """Undo `pack_sources`: uint32 [..., words] to bool [..., sum(in_channels)]."""
    edges = np.cumsum([words(channels) for channels in in_channels])[:-1]
    parts = np.split(packed, edges, axis=-1)
    return np.concatenate(
        [unpack(part, channels) for part, channels in zip(parts, in_channels)], axis=-1
    )


def source_words(in_channels: Sequence[int]) -> int:
    """Words per kernel position of a layer that reads tensors of these channels."""
    return sum(words(channels) for channels in in_channels)
