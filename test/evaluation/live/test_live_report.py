# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of each frame adds up: drops by reason, from node, player and evaluator."""

import numpy as np
import pytest

from mbu_ros.evaluation.live.judging import Judged
from mbu_ros.evaluation.live.live_report import LiveOutcome, live_facts
from mbu_ros.evaluation.live.node_state import CameraCounts, NodeState
from mbu_ros.evaluation.live.recording import Recording
from mbu_ros.evaluation.mask_files import MaskFiles
from mbu_ros.evaluation.parts import PartCounts

PERCENTILES = {'network': {'p50': 1.0}}


@pytest.fixture
def outcome(tmp_path):
    file = tmp_path / 'model'
    file.write_bytes(b'model')

    def make(**changes):
        fields = {
            'source': 'bag',
            'sent': 20,
            'complete': True,
            'model_name': 'random',
            'model_file': file,
            'label_tolerance_ms': 5.0,
        }
        return LiveOutcome(**{**fields, **changes})

    return make


@pytest.fixture
def record(tmp_path):
    """18 images and 9 masks were received."""
    record = Recording(['/image'], MaskFiles(tmp_path / 'masks'))
    for stamp in range(18):
        record.add_image('/image', stamp, 0)
    for stamp in range(9):
        record.add_mask('/image', stamp, np.zeros((2, 2), np.uint8), 0)
    record.finish()
    return record


def state(**changes):
    dropped = {'superseded': 5, 'bad': 1, 'rate': 0}
    counts = CameraCounts(16, 10, dropped, PERCENTILES)
    return NodeState(1.0, {'': counts}, **{'model': 'random', **changes})


JUDGED = Judged(20, 15, PartCounts(unmatched_labels=2, unusable_labels=3, losses=['lost']))


def test_every_dropped_frame_has_a_reason(outcome, record):
    facts = live_facts(outcome(), state(), record, JUDGED)
    assert facts.frames_in == 20
    # 20 sent, 16 received, 10 segmented, 9 masks.
    assert facts.dropped == {'superseded': 5, 'bad': 1, 'not received': 4, 'result lost': 1}
    assert sum(facts.dropped.values()) == 20 - 9


def test_labels_notes_and_digest_are_told(outcome, record):
    facts = live_facts(outcome(notes=['a note']), state(), record, JUDGED)
    labels = facts.labels
    assert (labels.matched, labels.unmatched, labels.unusable) == (15, 2, 3)
    assert labels.tolerance_ms == 5.0
    assert list(facts.notes) == ['a note', 'lost']
    assert facts.model_sha256.startswith('9372c470')


@pytest.mark.parametrize(
    'changes, sent',
    [
        ({}, 20),
        ({'sent': None}, 20),  # a player that does not say played the whole bag
        ({'sent': None, 'complete': False}, 18),  # one that died: what was seen of it
    ],
)
def test_frames_sent_are_as_far_as_anybody_knows(outcome, record, changes, sent):
    assert live_facts(outcome(**changes), state(), record, JUDGED).frames_in == sent


def test_stages_are_those_of_each_frame_where_the_node_tells_them(outcome, record):
    assert live_facts(outcome(), state(), record, JUDGED).stages_ms == PERCENTILES
    record.add_stages('/image', 3, {'network': 2.0})
    assert live_facts(outcome(), state(), record, JUDGED).stages_ms is None


def test_another_model_and_repeated_stamps_are_remarked(outcome, record):
    record.add_image('/image', 3, 5)
    facts = live_facts(outcome(), state(model='camvid'), record, JUDGED)
    assert any('1 images and masks' in note for note in facts.notes)
    assert any("'camvid'" in note and "'random'" in note for note in facts.notes)


def test_masks_with_the_stamp_of_another_are_not_lost_on_the_way(outcome, record):
    record.add_image('/image', 3, 5)
    record.cameras['/image'].masks_again[3] += 1
    facts = live_facts(outcome(), state(), record, JUDGED)
    # The one that was segmented and is not among the 9 masks.
    assert facts.dropped['repeated stamp'] == 1 and 'result lost' not in facts.dropped
    record.add_image('/image', 4, 5)
    assert live_facts(outcome(), state(), record, JUDGED).dropped['repeated stamp'] == 2
