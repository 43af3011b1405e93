# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A message as it lies in a bag, and what can be made of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mbu_ros.bags.format import TYPESTORE
from mbu_ros.bags.reason import reason
from mbu_ros.data.sample import IGNORE
from mbu_ros.errors import InputError
from mbu_ros.imaging.messages import to_label


class BagMessage(NamedTuple):
    """A message as it lies in a bag."""

    topic: str
    kind: str
    time: int
    """When it was logged, nanoseconds since 1970."""
    data: bytes
    """Serialized as CDR, the form that goes over the wire."""


def decode(message: BagMessage) -> object:
    """The message of an image topic as an object; its arrays are views of the serialized data.

    Raises:
        InputError: the data is no message of its type.
    """
    try:
        return TYPESTORE.deserialize_cdr(message.data, message.kind)
    except Exception as error:  # struct, index, key and encoding errors alike
        raise InputError(f'no readable {message.kind}: {reason(error)}') from error


def read_label(message: object, height: int, width: int, classes: int) -> np.ndarray:
    """The ids, uint8 [height, width], of a label of an image of this size.

    Raises:
        InputError: it is of another encoding or size, or has a value that is neither one of
            `classes` nor `IGNORE`.
    """
    ids = to_label(message)
    if ids.shape != (height, width):
        raise InputError(
            f'it is {ids.shape[1]}x{ids.shape[0]} but its image {width}x{height}; they must be of '
            'one size'
        )
    unknown = ids[(ids >= classes) & (ids != IGNORE)]
    if unknown.size:
        raise InputError(
            f'value {unknown[0]} is neither one of the {classes} classes (0 to {classes - 1}) nor '
            f'{IGNORE} (unlabelled)'
        )
    return ids
