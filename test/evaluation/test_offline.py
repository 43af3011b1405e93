# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Offline evaluation of whole sources: in one process and several, anew and resumed."""

import hashlib
import io
import os
import signal
from dataclasses import astuple, dataclass, replace

import pytest
from rich.console import Console

from mbu_ros.errors import InputError
from mbu_ros.evaluation import offline
from mbu_ros.evaluation.offline import evaluate_plan
from mbu_ros.evaluation.part_run import PartRunner, PartSettings
from mbu_ros.evaluation.parts import PartCounts, TreePart
from mbu_ros.evaluation.parts_folder import PartsFolder, fingerprint
from mbu_ros.evaluation.plan import Plan, plan_bags, plan_tree
from mbu_ros.evaluation.workers import WorkerError

QUIET = Console(file=io.StringIO())


@pytest.fixture
def settings(model_file):
    return PartSettings(model_file, engine='reference', boundary=(1, 3), pictures=True)


def folder_for(plan, path, resume=False):
    return PartsFolder(path, fingerprint(plan.files, {}), resume=resume)


def run(plan, settings, path, **options):
    return evaluate_plan(plan, settings, folder_for(plan, path), console=QUIET, **options)


def digest(result):
    """Of everything in a result but times."""
    evaluation = result.evaluation
    parts = [
        [astuple(replace(record, latency_ms=None)) for record in evaluation.records],
        {name: matrix.counts.tolist() for name, matrix in evaluation.by_sequence.items()},
        evaluation.boundary.mask_near.tolist(),
        evaluation.boundary.label_near.tolist(),
        evaluation.stability,
        {name: array.tobytes() for name, array in evaluation.gallery.arrays().items()},
        evaluation.agreement and evaluation.agreement.counts.tolist(),
        result.counts,
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def test_the_result_is_the_same_for_any_number_of_processes(
    write_bag, model, settings, other_model_file, tmp_path
):
    plan = plan_bags([write_bag(tmp_path / 'drive', 40)], model.classes)
    settings = replace(settings, against=other_model_file)
    results = [run(plan, settings, tmp_path / f'{jobs}', jobs=jobs) for jobs in (1, 2, 3)]
    assert len({digest(result) for result in results}) == 1
    evaluation = results[1].evaluation
    assert len(evaluation.records) == evaluation.labelled_frames == 40
    assert evaluation.stability.pixels == 39 * 48 * 64  # also across the borders of parts
    assert all(record.latency_ms > 0 for record in evaluation.records)
    assert len(evaluation.stages['network']) == 40
    assert results[0].notes == () and '2 processes' in results[1].notes[0]


def test_parts_that_are_there_are_not_run_again(
    write_tree, model, settings, tmp_path, monkeypatch
):
    plan = plan_tree(write_tree(tmp_path / 'data', 40), 'val', model.classes)
    whole = run(plan, settings, tmp_path / 'whole', jobs=1)
    seen = []
    segment = PartRunner.run

    def interrupted(self, part, advance=lambda: None):
        seen.append(part.start)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return segment(self, part, advance)

    monkeypatch.setattr(PartRunner, 'run', interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(plan, settings, tmp_path / 'half', jobs=1)
    folder = folder_for(plan, tmp_path / 'half', resume=True)
    resumed = evaluate_plan(plan, settings, folder, jobs=1, console=QUIET)
    assert seen == [0, 14, 14, 28]
    assert digest(resumed) == digest(whole)


def test_resuming_what_is_complete_runs_nothing(write_tree, model, settings, tmp_path):
    plan = plan_tree(write_tree(tmp_path / 'data', 20), 'val', model.classes)
    first = run(plan, settings, tmp_path / 'parts', jobs=2)
    folder = folder_for(plan, tmp_path / 'parts', resume=True)
    again = evaluate_plan(plan, settings, folder, jobs=2, console=QUIET)
    # Latencies, too: nothing was measured anew.
    assert again.evaluation.records == first.evaluation.records


@pytest.mark.parametrize('jobs', [1, 2])
def test_a_frame_that_cannot_be_used_ends_the_run(write_tree, model, settings, tmp_path, jobs):
    root = write_tree(tmp_path / 'data', 20)
    plan = plan_tree(root, 'val', model.classes)
    (root / 'val' / 'images' / '018.png').write_bytes(b'\x89PNG no more')
    with pytest.raises(InputError, match='018.png'):
        run(plan, settings, tmp_path / 'parts', jobs=jobs)


@dataclass(frozen=True)
class Deadly(TreePart):
    """Kills the process that reads it, as Linux does when memory runs out."""

    def samples(self, counts):
        os.kill(os.getpid(), signal.SIGKILL)
        yield


def test_a_process_that_is_killed_is_an_error_and_no_hang(write_tree, model, settings, tmp_path):
    plan = plan_tree(write_tree(tmp_path / 'data', 20), 'val', model.classes)
    deadly = Plan(plan.source, (plan.parts[0], Deadly(tmp_path, 'val', 0, 1)), 17)
    with pytest.raises(WorkerError, match='--jobs.*--resume'):
        run(deadly, settings, tmp_path / 'parts', jobs=2)


@dataclass(frozen=True)
class Empty(TreePart):
    """What is left of a bag whose images cannot be used."""

    def samples(self, counts):
        counts.unusable_images = 3
        counts.losses.append('half of it is missing')
        yield from ()


def test_no_frame_at_all_says_why(settings, tmp_path):
    plan = Plan('nothing', (Empty(tmp_path, 'val', 0, 3),), 3)
    with pytest.raises(InputError, match='no frame.*half of it.*3 images cannot be used'):
        run(plan, settings, tmp_path / 'parts', jobs=1)


def test_frames_that_are_missing_are_frames_in(write_tree, model, settings, tmp_path):
    tree = plan_tree(write_tree(tmp_path / 'data', 2), 'val', model.classes)
    plan = Plan('half a bag', (*tree.parts, Empty(tmp_path, 'val', 0, 3)), 9, notes=('cut off',))
    result = run(plan, settings, tmp_path / 'parts', jobs=1)
    assert (result.frames_in, len(result.evaluation.records)) == (9, 2)
    assert result.notes == ('cut off', 'half of it is missing')
    assert run(replace(plan, frames=0), settings, tmp_path / 'parts', jobs=1).frames_in == 5


def test_one_process_per_core_without_a_gpu(
    write_tree, model, settings, tmp_path, monkeypatch
):
    plan = plan_tree(write_tree(tmp_path / 'data', 40), 'val', model.classes)
    asked = []

    def run_here(parts, settings, folder, jobs, tell):
        asked.append((jobs, settings.threads))
        with PartRunner(settings) as runner:
            for index, part in parts:
                folder.put(index, *runner.run(part))

    monkeypatch.setattr(offline, 'run_in_processes', run_here)
    monkeypatch.setattr(offline, 'usable_cores', lambda: 2)
    lines = []
    run(plan, settings, tmp_path / 'a', say=lines.append)
    monkeypatch.setattr(offline, 'usable_cores', lambda: 64)
    run(plan, settings, tmp_path / 'b')
    assert asked == [(2, 1), (3, 21)]  # no more processes than parts
    assert lines[0].startswith('Engine: reference')


def test_progress_counts_each_frame_once(write_tree, model, settings, tmp_path, monkeypatch):
    plan = plan_tree(write_tree(tmp_path / 'data', 20), 'val', model.classes)
    told = []

    class Recorder(offline.Progress):
        def update(self, task, **changes):
            told.append(changes['completed'])

    monkeypatch.setattr(offline, 'Progress', Recorder)
    run(plan, settings, tmp_path / '1', jobs=1)
    assert told == list(range(1, 21))
    told.clear()
    run(plan, settings, tmp_path / '2', jobs=2)
    assert told == sorted(told) and told[-1] == 20
    # The first part is there: its frames are done from the start.
    folder = folder_for(plan, tmp_path / '2', resume=True)
    (folder.path / '000001.json').unlink()
    told.clear()
    evaluate_plan(plan, settings, folder, jobs=1, console=QUIET)
    assert told == list(range(11, 21))


def test_masks_are_kept_by_topic_and_stamp(write_bag, model, settings, tmp_path):
    from mbu_ros.engine.reference import ReferenceEngine
    from mbu_ros.evaluation.mask_files import MaskFiles

    for name in ('a', 'b'):
        write_bag(tmp_path / 'bags' / name, 2)
    plan = plan_bags([tmp_path / 'bags'], model.classes)
    run(plan, replace(settings, masks=tmp_path / 'masks'), tmp_path / 'parts', jobs=1)
    _, second = plan.parts[1].samples(PartCounts())
    mask = MaskFiles(tmp_path / 'masks' / 'b').get('/camera/image_raw', second.stamp)
    assert (mask == ReferenceEngine(model).segment([second.image])[0].labels).all()
    assert len(list((tmp_path / 'masks').rglob('*.png'))) == 4


def test_masks_of_a_tree_are_kept_by_name(write_tree, model, settings, tmp_path):
    plan = plan_tree(write_tree(tmp_path / 'data', 2), 'val', model.classes)
    run(plan, replace(settings, masks=tmp_path / 'masks'), tmp_path / 'parts', jobs=1)
    assert sorted(path.name for path in (tmp_path / 'masks').iterdir()) == ['000.png', '001.png']
