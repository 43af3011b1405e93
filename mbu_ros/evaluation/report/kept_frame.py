# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One frame that a report may show: scaled down and encoded, so that many fit into memory."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from mbu_ros.data.sample import Sample
from mbu_ros.imaging.sheet import fit_width

JPEG_QUALITY = 88
SECOND = 1_000_000_000


@dataclass(frozen=True)
class Place:
    """Where a frame stands in its run; places are ordered, and no two frames share one.

    Attributes:
        sequence: what it is part of.
        time: in nanoseconds. Where there is no clock, a number made of the name: as good as drawn
            at random, and the same every time.
        name: of the frame.
        turn: tells apart what would else be the same.
    """

    sequence: str
    time: int
    name: str
    turn: int = 0

    @property
    def key(self) -> tuple[str, int, str, int]:
        """What to sort places by."""
        return self.sequence, self.time, self.name, self.turn


def place_of(sample: Sample, sequence: str) -> Place:
    """The place of a sample in its run."""
    if sample.logged is not None:
        # Not the stamp: a camera may repeat it, or never set it.
        time, turn = sample.logged
        return Place(sequence, time, sample.name, turn)
    if sample.stamp is not None:
        return Place(sequence, sample.stamp, sample.name)
    if sample.time is not None:
        return Place(sequence, round(sample.time * SECOND), sample.name)
    return Place(sequence, zlib.crc32(sample.name.encode('utf-8', 'surrogateescape')), sample.name)


@dataclass(frozen=True)
class KeptFrame:
    """A frame as it is shown.

    Attributes:
        place: where it stands in its run.
        clocked: whether the place's time is one.
        score: how good its mask is, higher is better; None where unknown.
        jpeg: the image.
        mask_png, label_png: class ids, grey; the label is None where there is none.
    """

    place: Place
    clocked: bool
    score: float | None
    jpeg: bytes
    mask_png: bytes
    label_png: bytes | None

    @property
    def title(self) -> str:
        """Its sequence and name, for people."""
        place = self.place
        return f'{place.sequence} {place.name}' if place.sequence else place.name

    def image(self) -> np.ndarray:
        """uint8 [H, W, 3] RGB."""
        return cv2.cvtColor(_decode(self.jpeg, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    def mask(self) -> np.ndarray:
        """uint8 [H, W] class ids."""
        return _ids(self.mask_png)

    def label(self) -> np.ndarray | None:
        """uint8 [H, W] class ids, 255 where unlabelled; None without a label."""
        return None if self.label_png is None else _ids(self.label_png)


def keep_frame(
    sample: Sample, mask: np.ndarray, score: float | None, place: Place, width: int
) -> KeptFrame:
    """Scale a frame down to `width` pixels at most, and encode it."""
    image = cv2.cvtColor(fit_width(sample.image, width), cv2.COLOR_RGB2BGR)
    return KeptFrame(
        place=place,
        clocked=sample.stamp is not None or sample.time is not None,
        score=score,
        jpeg=_encode('.jpg', image, cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY),
        mask_png=_png(fit_width(mask, width)),
        label_png=None if sample.label is None else _png(fit_width(sample.label, width)),
    )


def _png(ids: np.ndarray) -> bytes:
    return _encode('.png', ids, cv2.IMWRITE_PNG_COMPRESSION, 6)


def _encode(suffix: str, pixels: np.ndarray, option: int, value: int) -> bytes:
    return cv2.imencode(suffix, pixels, [option, value])[1].tobytes()


def _ids(encoded: bytes) -> np.ndarray:
    return _decode(encoded, cv2.IMREAD_GRAYSCALE)


def _decode(encoded: bytes, flags: int) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    assert pixels is not None  # `_encode` made it
    return pixels
