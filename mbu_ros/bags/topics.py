# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are the camera and its labels, unless the user says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mbu_ros.bags.format import COMPRESSED_IMAGE, IMAGE
from mbu_ros.errors import InputError

NO_CAMERA = ('label', 'mask', 'overlay')
"""An image topic with one of these in its name is taken for a result, not for a camera."""


class Topic(NamedTuple):
    """A topic of a bag."""

    kind: str
    """Message type, such as 'sensor_msgs/msg/Image'."""
    messages: int


def choose_image_topic(topics: Mapping[str, Topic], wanted: str | None) -> str:
    """The topic wanted, or where None the only one that can be the camera.

    Raises:
        InputError: it does not exist, is of another type or empty, or there is no single one; the
            text lists the topics.
    """
    if wanted is None:
        cameras = [
            name
            for name, topic in topics.items()
            if topic.kind in (IMAGE, COMPRESSED_IMAGE)
            and not any(word in name.lower() for word in NO_CAMERA)
        ]
        if len(cameras) != 1:
            problem = 'several image topics' if cameras else 'no image topic'
            raise InputError(f'{problem}; choose one with --image-topic. {_list(topics)}')
        wanted = cameras[0]
    _require(topics, wanted, (IMAGE, COMPRESSED_IMAGE))
    if not topics[wanted].messages:
        raise InputError(f'there is no image in {wanted}. {_list(topics)}')
    return wanted


def choose_label_topic(
    topics: Mapping[str, Topic], wanted: str | None, image_topic: str
) -> str | None:
    """The topic wanted, or where None the only one that can be labels, if there is one.

    Raises:
        InputError: it does not exist or is of another type, or there are several; the text lists
            the topics.
    """
    if wanted is None:
        labels = [
            name
            for name, topic in topics.items()
            if topic.kind == IMAGE and 'label' in name.lower() and name != image_topic
        ]
        if len(labels) > 1:
            raise InputError(
                f'several label topics; choose one with --label-topic. {_list(topics)}'
            )
        return labels[0] if labels else None
    _require(topics, wanted, (IMAGE,))
    return wanted


def _require(topics: Mapping[str, Topic], name: str, kinds: tuple[str, ...]) -> None:
    if name not in topics:
        raise InputError(f'no topic {name}. {_list(topics)}')
    if topics[name].kind not in kinds:
        raise InputError(
            f'{name} is {topics[name].kind}, not {" or ".join(kinds)}. {_list(topics)}'
        )


def _list(topics: Mapping[str, Topic]) -> str:
    if not topics:
        return 'The bag has no topics.'
    listed = (f'{n} ({t.kind}, {t.messages} messages)' for n, t in sorted(topics.items()))
    return f'The bag has {", ".join(listed)}.'
