# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Results of parts on disk, and which run may go on with them."""

import numpy as np
import pytest

from mbu_ros.data.sample import ClassMap, Sample
from mbu_ros.errors import InputError
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.parts import PartCounts
from mbu_ros.evaluation.parts_folder import PartsFolder, fingerprint

CLASSES = ClassMap(('dark', 'bright'), ((0, 0, 0), (255, 255, 255)))
COUNTS = PartCounts(1, 2, 3, ['file 2 is missing'])


def evaluation():
    made = Evaluation(CLASSES)
    made.add(Sample('a', np.zeros((4, 4, 3), np.uint8)), np.zeros((4, 4), np.uint8))
    return made


@pytest.fixture
def source(tmp_path):
    path = tmp_path / 'source'
    path.write_text('frames')
    return path


def marks(source, **options):
    return fingerprint((source,), {'model': 'abc', 'limit': None, 'boundary': (1, 3), **options})


def test_results_come_back(tmp_path, source):
    folder = PartsFolder(tmp_path / 'report' / '.parts', marks(source), resume=False)
    assert not folder.has(3)
    folder.put(3, evaluation(), COUNTS)
    assert folder.has(3) and not folder.has(2)
    loaded, counts = folder.get(3)
    assert loaded.records == evaluation().records and counts == COUNTS


def test_the_same_run_goes_on(tmp_path, source):
    PartsFolder(tmp_path / '.parts', marks(source), resume=False).put(0, evaluation(), COUNTS)
    assert PartsFolder(tmp_path / '.parts', marks(source), resume=True).has(0)


def test_without_resume_it_starts_anew(tmp_path, source):
    PartsFolder(tmp_path / '.parts', marks(source), resume=False).put(0, evaluation(), COUNTS)
    assert not PartsFolder(tmp_path / '.parts', marks(source), resume=False).has(0)


def test_nothing_to_go_on_with_is_a_new_start(tmp_path, source):
    folder = PartsFolder(tmp_path / '.parts', marks(source), resume=True)
    folder.put(0, evaluation(), COUNTS)
    assert folder.has(0)


def test_another_run_is_refused_with_what_differs(tmp_path, source):
    PartsFolder(tmp_path / '.parts', marks(source), resume=False)
    with pytest.raises(InputError, match="model was 'abc' and is 'def'.*without --resume"):
        PartsFolder(tmp_path / '.parts', marks(source, model='def'), resume=True)
    with pytest.raises(InputError, match='limit was None and is 5'):
        PartsFolder(tmp_path / '.parts', marks(source, limit=5), resume=True)


def test_a_source_that_changed_is_refused(tmp_path, source):
    PartsFolder(tmp_path / '.parts', marks(source), resume=False)
    source.write_text('more frames')
    with pytest.raises(InputError, match='source has changed'):
        PartsFolder(tmp_path / '.parts', marks(source), resume=True)


def test_a_result_cut_off_while_it_was_written_is_not_there(tmp_path, source):
    folder = PartsFolder(tmp_path / '.parts', marks(source), resume=False)
    made = evaluation()
    made.save(folder.path / '000000.npz')  # and the process was killed
    assert not folder.has(0)


def test_a_damaged_result_names_its_file(tmp_path, source):
    folder = PartsFolder(tmp_path / '.parts', marks(source), resume=False)
    folder.put(0, evaluation(), COUNTS)
    (folder.path / '000000.npz').write_bytes(b'')
    with pytest.raises(InputError, match='000000.npz'):
        folder.get(0)
    (folder.path / '000000.json').write_text('{')
    with pytest.raises(InputError, match='000000.json.*without --resume'):
        folder.get(0)
    (folder.path / 'run.json').write_text('[]')
    with pytest.raises(InputError, match='run.json.*without --resume'):
        PartsFolder(folder.path, marks(source), resume=True)


def test_a_source_that_is_gone(tmp_path):
    with pytest.raises(InputError, match='gone'):
        fingerprint((tmp_path / 'gone',), {})


def test_a_folder_that_cannot_be_made(tmp_path, source):
    with pytest.raises(InputError, match='cannot be written'):
        PartsFolder(source / '.parts', marks(source), resume=False)
