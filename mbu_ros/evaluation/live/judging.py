# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Judges the masks of a live run: frames and labels come from the bag, as offline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mbu_ros.data.sample import Sample
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.live.recording import Recording
from mbu_ros.evaluation.parts import PartCounts
from mbu_ros.evaluation.plan import Plan
from mbu_ros.imaging.resize import resize_mask


@dataclass(frozen=True)
class Judged:
    """What became of a bag's frames.

    Attributes:
        images: of the bag that can be read.
        labelled: those of them with a label.
        counts: of the rest.
    """

    images: int
    labelled: int
    counts: PartCounts


def judge(
    plan: Plan,
    recording: Recording,
    evaluation: Evaluation,
    *,
    other: Callable[[np.ndarray], np.ndarray] | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> Judged:
    """Count each frame of a bag for which a mask came, in the order in which offline does.

    Of images with the same stamp the first one gets the first mask, if there is one for each. A
    mask of another size than its image (mask_size: network) is enlarged as the node would.

    Args:
        plan: of this bag alone.
        recording: finished.
        evaluation: where frames are counted.
        other: the other model: from an image, uint8 [H, W, 3] RGB, to a mask, uint8 [H, W].
        on_frame: called after each frame of the bag.

    Raises:
        InputError: the bag or a recorded mask is unreadable.
    """
    images = labelled = 0
    total = PartCounts()
    done = {
        (topic, stamp)
        for topic, times in recording.cameras.items()
        for stamp in times.doubtful
    }
    for part in plan.parts:
        counts = PartCounts()
        for sample in part.samples(counts):
            images += 1
            labelled += sample.label is not None
            mask = None
            if sample.stamp is not None and (part.topic, sample.stamp) not in done:
                mask = _mask(recording, part.topic, sample)
            if mask is None or sample.stamp is None:
                evaluation.interrupt(part.sequence)
            else:
                done.add((part.topic, sample.stamp))
                times = recording.cameras[part.topic]
                evaluation.add(
                    sample,
                    mask,
                    sequence=part.sequence,
                    latency_ms=times.latency(sample.stamp),
                    stages_ms=times.stages.get(sample.stamp),
                    other_mask=None if other is None else other(sample.image),
                )
            on_frame()
        total = total + counts
    return Judged(images, labelled, total)


def _mask(recording: Recording, topic: str, sample: Sample) -> np.ndarray | None:
    # Not what else may lie in the folder, of an earlier run.
    if sample.stamp is None or sample.stamp not in recording.cameras[topic].masks:
        return None
    mask = recording.files.get(topic, sample.stamp)
    return None if mask is None else resize_mask(mask, *sample.image.shape[:2])
