# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are cameras and which their labels, unless the user says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mbu_ros.bags.format import COMPRESSED_IMAGE, IMAGE, raw_topic
from mbu_ros.errors import InputError

NO_CAMERA = ('label', 'mask', 'overlay', 'compresseddepth')
"""An image topic with one of these in its name is taken for a result or a depth image."""

CAMERA_KINDS = (IMAGE, COMPRESSED_IMAGE)


class Topic(NamedTuple):
    """A topic of a bag."""

    kind: str
    """Message type, such as 'sensor_msgs/msg/Image'."""
    messages: int


def camera_topics(topics: Mapping[str, Topic]) -> list[str]:
    """Image topics that can be cameras, sorted; one that is there raw and compressed once, raw.

    Topics without messages do not count where others have some.
    """
    found = sorted(
        name
        for name, topic in topics.items()
        if topic.kind in CAMERA_KINDS and not any(word in name.lower() for word in NO_CAMERA)
    )
    found = [name for name in found if topics[name].messages] or found
    return [
        name
        for name in found
        if topics[name].kind == IMAGE
        or raw_topic(name) not in found
        or topics[raw_topic(name)].kind != IMAGE
    ]


def namespace(image_topic: str) -> str:
    """The namespace of a camera: '/left' of '/left/image_raw' and '/left/image_raw/compressed'."""
    name = image_topic
    if name.endswith('/compressed'):
        name = raw_topic(name)
    return name.rpartition('/')[0]


def check_image_topic(topics: Mapping[str, Topic], name: str) -> None:
    """Raise InputError, which lists the topics, unless there are images under this name."""
    _require(topics, name, CAMERA_KINDS)
    if not topics[name].messages:
        raise InputError(f'there is no image in {name}. {list_topics(topics)}')


def check_label_topic(topics: Mapping[str, Topic], name: str) -> None:
    """Raise InputError, which lists the topics, unless this topic can be labels."""
    _require(topics, name, (IMAGE,))


def label_topics(topics: Mapping[str, Topic]) -> list[str]:
    """Image topics that are labels by their names, sorted.

    Topics without messages do not count where others have some.
    """
    found = sorted(
        name
        for name, topic in topics.items()
        if topic.kind == IMAGE and 'label' in name.lower()
    )
    return [name for name in found if topics[name].messages] or found


def stray_labels(topics: Mapping[str, Topic]) -> list[str]:
    """Label topics that have nothing in common with the name of any of several cameras."""
    cameras = camera_topics(topics)
    if len({namespace(camera) for camera in cameras}) < 2:
        return []
    return [
        label
        for label in label_topics(topics)
        if topics[label].messages and not any(_shared(camera, label) for camera in cameras)
    ]


def choose_label_topic(
    topics: Mapping[str, Topic], image_topic: str, cameras: Sequence[str]
) -> str | None:
    """The labels of a camera, as far as names tell; None without.

    With one camera in the bag it is the only label topic. Otherwise it is the one that shares most
    of the camera's namespace, unless it shares more with that of another camera.

    Args:
        topics: all of the bag.
        image_topic: the camera.
        cameras: all image topics of the bag that are cameras.

    Raises:
        InputError: it may be one of several, or may belong to several cameras; the text lists the
            topics.
    """
    labels = [name for name in label_topics(topics) if name != image_topic]
    others = [name for name in cameras if namespace(name) != namespace(image_topic)]
    shared = {label: _shared(image_topic, label) for label in labels}
    if others:
        for label in labels:
            if not shared[label] or any(_shared(c, label) > shared[label] for c in others):
                del shared[label]
    best = [label for label in shared if shared[label] == max(shared.values())]
    if not best:
        return None
    if len(best) > 1:
        raise InputError(
            f'several label topics may belong to {image_topic}; choose one with --label-topic. '
            f'{list_topics(topics)}'
        )
    (label,) = best
    rivals = [name for name in others if _shared(name, label) == shared[label]]
    if rivals:
        raise InputError(
            f'{label} may belong to {image_topic} or {rivals[0]}; say with --image-topic and '
            f'--label-topic what belongs together. {list_topics(topics)}'
        )
    return label


def list_topics(topics: Mapping[str, Topic]) -> str:
    """The topics that there are, as a sentence."""
    if not topics:
        return 'The bag has no topics.'
    listed = (f'{n} ({t.kind}, {t.messages} messages)' for n, t in sorted(topics.items()))
    return f'The bag has {", ".join(listed)}.'


def _shared(image_topic: str, label: str) -> int:
    """How many names at the beginning a camera's namespace and a label's have in common."""
    count = 0
    for one, other in zip(namespace(image_topic).split('/')[1:], namespace(label).split('/')[1:]):
        if one != other:
            break
        count += 1
    return count


def _require(topics: Mapping[str, Topic], name: str, kinds: tuple[str, ...]) -> None:
    if name not in topics:
        raise InputError(f'no topic {name}. {list_topics(topics)}')
    if topics[name].kind not in kinds:
        raise InputError(
            f'{name} is {topics[name].kind}, not {" or ".join(kinds)}. {list_topics(topics)}'
        )
