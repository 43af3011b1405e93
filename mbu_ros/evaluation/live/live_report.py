# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a live run tells its report beyond the frames: who ran, and what became of each frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mbu_ros.evaluation.live.judging import Judged
from mbu_ros.evaluation.live.node_state import NodeState
from mbu_ros.evaluation.live.recording import Recording
from mbu_ros.evaluation.report.facts import LabelCounts, RunFacts
from mbu_ros.model.digest import sha256_of

NOT_RECEIVED, NO_RESULT, REPEATED = 'not received', 'result lost', 'repeated stamp'
"""Reasons beside those of the node: images that did not reach it, masks that did not reach the
evaluator, and masks of which nobody knows to which of several images they belong."""


@dataclass(frozen=True)
class LiveOutcome:
    """How a run went.

    Attributes:
        source: what was played, for people.
        sent: images that the player says it sent; None where it did not say.
        complete: whether the player came to the end of the bag.
        model_name, model_file: of the masks' classes.
        label_tolerance_ms: as given.
        against: name of the other model.
        configuration: every option.
        notes: for people.
    """

    source: str
    sent: int | None
    complete: bool
    model_name: str
    model_file: Path
    label_tolerance_ms: float
    against: str | None = None
    configuration: Mapping[str, object] = field(default_factory=dict)
    notes: Sequence[str] = ()


def live_facts(
    outcome: LiveOutcome, state: NodeState, recording: Recording, judged: Judged
) -> RunFacts:
    """Put together what `build_report` needs."""
    counts = judged.counts
    sent = count_sent(outcome, recording, judged)
    again = sum(times.masks_again.total() for times in recording.cameras.values())
    dropped = {
        **state.dropped,
        NOT_RECEIVED: max(0, sent - state.received) if state.cameras else 0,
        NO_RESULT: max(0, state.segmented - recording.masks - again),
        REPEATED: again + sum(len(times.doubtful) for times in recording.cameras.values()),
    }
    return RunFacts(
        mode='live',
        source=outcome.source,
        model=state.model or outcome.model_name,
        model_sha256=sha256_of(outcome.model_file),
        engine=state.engine,
        device=state.device,
        frames_in=sent,
        dropped={reason: count for reason, count in dropped.items() if count},
        labels=LabelCounts(
            judged.labelled,
            max(0, counts.unmatched_labels),
            counts.unusable_labels,
            outcome.label_tolerance_ms,
        ),
        configuration=outcome.configuration,
        notes=[*outcome.notes, *counts.losses, *_remarks(outcome, state, recording, judged)],
        stages_ms=_stages(state, recording),
        resources=state.resources(),
        against=outcome.against,
    )


def count_sent(outcome: LiveOutcome, recording: Recording, judged: Judged) -> int:
    """Images that were sent, as far as anybody knows."""
    if outcome.sent is not None:
        return outcome.sent
    if outcome.complete:
        return max(judged.images + judged.counts.unusable_images, recording.images)
    return max(recording.images, recording.masks)


def _remarks(
    outcome: LiveOutcome, state: NodeState, recording: Recording, judged: Judged
) -> list[str]:
    notes = []
    if judged.counts.unusable_images:
        notes.append(f'{judged.counts.unusable_images} images of the bag cannot be used')
    if recording.repeated:
        notes.append(
            f'{recording.repeated} images and masks had the stamp of one before, and were left '
            'out; check that the camera stamps each image, and that one node runs'
        )
    if state.model and state.model != outcome.model_name:
        notes.append(
            f'the node ran the model {state.model!r}, its masks were judged by the classes of '
            f'{outcome.model_name!r}'
        )
    return notes


def _stages(
    state: NodeState, recording: Recording
) -> Mapping[str, Mapping[str, float | None]] | None:
    """None where the node told the times of each frame; else its percentiles of the last while."""
    if any(times.stages for times in recording.cameras.values()):
        return None
    # Of several cameras, those of the one with the most frames.
    cameras = sorted(state.cameras.values(), key=lambda camera: camera.segmented)
    return cameras[-1].stages_ms if cameras else {}
