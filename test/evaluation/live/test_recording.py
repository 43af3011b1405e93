# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is kept of a live run: masks as files, times by stamp."""

import numpy as np
import pytest

from mbu_ros.bags.format import IMAGE, TYPESTORE
from mbu_ros.bags.messages import make_header, make_image
from mbu_ros.errors import InputError
from mbu_ros.evaluation.live import recording
from mbu_ros.evaluation.live.recording import Recording, stamp_of
from mbu_ros.evaluation.mask_files import MaskFiles

MS = 1_000_000
MASK = np.arange(24, dtype=np.uint8).reshape(4, 6)


@pytest.fixture
def record(tmp_path):
    return Recording(['/front', '/rear'], MaskFiles(tmp_path))


def test_masks_are_found_again_and_latency_counts_from_the_image(record):
    record.add_image('/front', 5, 100 * MS)
    record.add_image('/rear', 5, 110 * MS)
    record.add_mask('/front', 5, MASK, 103 * MS)
    record.add_mask('/rear', 5, MASK + 1, 150 * MS)
    record.finish()
    assert np.array_equal(record.files.get('/front', 5), MASK)
    assert np.array_equal(record.files.get('/rear', 5), MASK + 1)
    assert record.cameras['/front'].latency(5) == pytest.approx(3)
    assert record.cameras['/rear'].latency(5) == pytest.approx(40)
    assert (record.images, record.masks, record.repeated) == (2, 2, 0)


def test_latency_is_unknown_without_an_image_before_the_mask(record):
    record.add_mask('/front', 1, MASK, 100 * MS)
    record.add_image('/front', 2, 200 * MS)
    record.add_image('/front', 3, 300 * MS)
    record.add_mask('/front', 3, MASK, 299 * MS)
    assert [record.cameras['/front'].latency(stamp) for stamp in (1, 2, 3)] == [None] * 3


def test_the_first_of_a_stamp_counts(record):
    record.add_image('/front', 5, 100 * MS)
    record.add_image('/front', 5, 200 * MS)
    record.add_mask('/front', 5, MASK, 101 * MS)
    record.add_mask('/front', 5, MASK + 1, 201 * MS)
    record.finish()
    assert (record.images, record.masks, record.repeated) == (1, 1, 2)
    assert np.array_equal(record.files.get('/front', 5), MASK)
    assert record.cameras['/front'].latency(5) == pytest.approx(1)


def test_a_mask_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / '__front').write_text('a file where a folder should be')
    record = Recording(['/front'], MaskFiles(tmp_path))
    record.add_mask('/front', 1, MASK, 0)
    with pytest.raises(InputError, match='cannot be written'):
        record.finish()


def test_a_slow_disk_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, 'WAITING_BYTES', 2 * MASK.nbytes)
    waiting = []

    class Slow(MaskFiles):
        def put(self, topic, stamp, mask):
            waiting.append(record._waiting)
            super().put(topic, stamp, mask)

    record = Recording(['/front'], Slow(tmp_path))
    for stamp in range(30):
        record.add_mask('/front', stamp, MASK, 0)
    record.finish()
    assert len(list((tmp_path / '__front').iterdir())) == len(waiting) == 30
    assert max(waiting) <= 2 * MASK.nbytes


@pytest.mark.parametrize('little', [True, False])
def test_stamps_are_read_from_serialized_messages(little):
    stamp = 1_700_000_000_123_456_789
    message = make_image(make_header(stamp), np.zeros((2, 2, 3), np.uint8), 'rgb8')
    data = TYPESTORE.serialize_cdr(message, IMAGE, little_endian=little)
    assert stamp_of(bytes(data)) == stamp


def test_masks_of_which_nobody_knows_the_image_are_doubtful(record):
    for stamp, images, masks in ((1, 1, 1), (2, 2, 2), (3, 2, 1), (4, 2, 0), (5, 1, 2)):
        for again in range(images):
            record.add_image('/front', stamp, again)
        for again in range(masks):
            record.add_mask('/front', stamp, MASK, again)
    record.finish()
    # Of two images of stamp 3 one was dropped: the mask may be that of either.
    assert record.cameras['/front'].doubtful == {3}
