# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of the work of an offline evaluation: frames that one process reads and segments.

Parts can be sent to another process, and each opens its own source there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mbu_ros.data.sample import Sample
from mbu_ros.data.scenes import Drive
from mbu_ros.data.tree import DataTree


@dataclass
class PartCounts:
    """What became of a part's messages; complete when its samples have been gone through.

    Attributes:
        unusable_images: images that could not be used.
        unmatched_labels, unusable_labels: as of `bags.reader.BagReader`.
        losses: for people, what could not be read.
    """

    unusable_images: int = 0
    unmatched_labels: int = 0
    unusable_labels: int = 0
    losses: list[str] = field(default_factory=list)

    def __add__(self, other: PartCounts) -> PartCounts:
        return PartCounts(
            self.unusable_images + other.unusable_images,
            self.unmatched_labels + other.unmatched_labels,
            self.unusable_labels + other.unusable_labels,
            list(dict.fromkeys([*self.losses, *other.losses])),  # parts of one bag say the same
        )


class Part(Protocol):
    """One part of the frames of a source."""

    @property
    def sequence(self) -> str:
        """What its frames are part of; parts of one sequence follow each other in time."""

    @property
    def frames(self) -> int:
        """How many there will be about, as far as the source says; 0 where it does not."""

    @property
    def topic(self) -> str:
        """The image topic; '' where there are no topics."""

    @property
    def bag(self) -> str:
        """Folder for its masks within that of all; '' where there is one bag or none."""

    def samples(self, counts: PartCounts) -> Iterator[Sample]:
        """The frames; `counts` is filled in at the end.

        Raises:
            InputError: the source is unusable.
        """


@dataclass(frozen=True)
class BagPart:
    """Images of one camera logged in [start, stop), nanoseconds since 1970; None: open.

    `classes` is how many classes labels may show, `limit` the most frames to take.
    """

    path: Path
    topic: str
    label_topic: str
    label_tolerance: int
    classes: int
    sequence: str
    bag: str
    frames: int
    start: int | None = None
    stop: int | None = None
    limit: int | None = None

    def samples(self, counts: PartCounts) -> Iterator[Sample]:
        """See `Part`."""
        # Late, so that a data tree can be evaluated without the bag libraries.
        from mbu_ros.bags.reader import BagReader

        reader = BagReader(
            self.path,
            self.topic,
            self.label_topic,
            label_tolerance=self.label_tolerance,
            label_classes=self.classes,
        )
        yield from reader.samples(self.limit, start=self.start, stop=self.stop)
        counts.unusable_images = reader.skipped
        counts.unmatched_labels = reader.unmatched_labels
        counts.unusable_labels = reader.unusable_labels
        # Of several bags, each says which one it is.
        of = f'{self.bag}: ' if self.bag else ''
        counts.losses = [of + loss for loss in reader.losses]


@dataclass(frozen=True)
class TreePart:
    """Frames [start, start + frames) of a split of a data tree, in the order of their names."""

    root: Path
    split: str
    start: int
    frames: int
    sequence: str = ''
    topic: str = ''
    bag: str = ''

    def samples(self, counts: PartCounts) -> Iterator[Sample]:
        """See `Part`."""
        tree = DataTree(self.root)
        for file in tree.files(self.split)[self.start : self.start + self.frames]:
            yield file.load(len(tree.classes))


@dataclass(frozen=True)
class DrivePart:
    """A generated drive, which is a film of its own."""

    drive: Drive
    topic: str = ''
    bag: str = ''

    @property
    def sequence(self) -> str:
        """The drive's name."""
        return f'drive{self.drive.seed:06d}'

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return len(self.drive)

    def samples(self, counts: PartCounts) -> Iterator[Sample]:
        """See `Part`."""
        for index, frame in enumerate(self.drive):
            yield Sample(f'{self.sequence}_{index:04d}', frame.image, frame.label, frame.time)
