# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The cameras of a bag as the segment node is to see them: their names, and what is remapped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mbu_ros.bags.cameras import Camera
from mbu_ros.bags.format import COMPRESSED_IMAGE, COMPRESSED_SUFFIX
from mbu_ros.errors import InputError

NAME = re.compile('[a-z][a-z0-9_]*')
"""What the node takes for the name of a camera."""
NO_LABELS = 'none'
"""In a list of label topics, a camera without labels; an empty text would be none at all."""


@dataclass(frozen=True)
class LiveCamera:
    """A camera of the node that listens to one of the bag.

    Attributes:
        name: '' for the one without a name.
        image_topic, label_topic: of the bag; the latter is '' without labels.
        compressed: whether images come as CompressedImage.
        frames: images in the bag, as far as it says.
    """

    name: str
    image_topic: str
    label_topic: str
    compressed: bool
    frames: int

    @property
    def transport(self) -> str:
        """For the node's parameter of that name."""
        return 'compressed' if self.compressed else 'raw'

    @property
    def mask_topic(self) -> str:
        """Where a node without a namespace publishes its masks."""
        return f'{self._prefix}/segmentation/mask'

    @property
    def timing_topic(self) -> str:
        """Where it says how long they took."""
        return f'{self._prefix}/segmentation/timing'

    @property
    def remapping(self) -> tuple[str, str]:
        """The rule that leads the node's image topic to that of the bag."""
        image = f'{self._prefix}/image'
        if not self.compressed:
            return image, self.image_topic
        if self.image_topic.endswith(COMPRESSED_SUFFIX):
            return image, self.image_topic[: -len(COMPRESSED_SUFFIX)]
        return f'{image}{COMPRESSED_SUFFIX}', self.image_topic

    @property
    def _prefix(self) -> str:
        return f'/{self.name}' if self.name else ''


def given_labels(names: Sequence[str]) -> list[str]:
    """Label topics as `choose_cameras` wants them, '' for `NO_LABELS`; none where all are empty."""
    return ['' if name == NO_LABELS else name for name in names if name]


def name_cameras(cameras: Sequence[Camera], names: Sequence[str] = ()) -> list[LiveCamera]:
    """Give each camera of a bag its name in the node.

    Args:
        cameras: of the bag.
        names: as many, in the same order; without any, one camera has no name, and several are
            called after their namespace, such as 'front' for /front/image_raw.

    Raises:
        InputError: too few or too many names, or some that no node can have.
    """
    names = list(names) or _derive([camera.image_topic for camera in cameras])
    if len(names) != len(cameras):
        raise InputError(
            f'{len(names)} names for {len(cameras)} cameras '
            f'({", ".join(camera.image_topic for camera in cameras)}): give one for each'
        )
    for name in names:
        if not (NAME.fullmatch(name) or name == '' and len(names) == 1):
            raise InputError(f'{name!r} is no name of a camera; names are like front or cam_2')
    if len(set(names)) < len(names):
        raise InputError(f'two cameras have the same name: {", ".join(names)}')
    return [
        LiveCamera(
            name,
            camera.image_topic,
            camera.label_topic or '',
            camera.kind == COMPRESSED_IMAGE,
            camera.frames,
        )
        for name, camera in zip(names, cameras)
    ]


def _derive(topics: Sequence[str]) -> list[str]:
    if len(topics) == 1:
        return ['']
    spaces = [topic.removesuffix(COMPRESSED_SUFFIX).split('/')[1:-1] for topic in topics]
    # What all have in common names none of them.
    while all(spaces) and len({space[0] for space in spaces}) == 1:
        spaces = [space[1:] for space in spaces]
    names = ['_'.join(space).lower() for space in spaces]
    if len(set(names)) == len(names) and all(map(NAME.fullmatch, names)):
        return names
    return [f'camera{number}' for number in range(1, len(topics) + 1)]
