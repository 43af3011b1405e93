# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.data.sample import ClassMap  # noqa: E402
from mbu_ros.training.batches import Batches, TrainingFrames, views  # noqa: E402
from mbu_ros.training.datasets import Split, TrainingData  # noqa: E402
from mbu_ros.training.recipe import RECIPES  # noqa: E402

PLAIN = RECIPES['standard'].with_values(
    ['zoom_min=1', 'zoom_max=1', 'brightness=0', 'contrast=0', 'batch=4']
)


@pytest.fixture
def frames():
    """Six frames, each of one grey, 100 + 10 times its label."""
    labels = np.arange(6, dtype=np.uint8).reshape(-1, 1, 1) * np.ones((1, 4, 6), np.uint8)
    images = np.repeat(100 + 10 * labels[..., None], 3, axis=3)
    split = Split(images, labels)
    classes = ClassMap(tuple('abcdef'), ((0, 0, 0),) * 6)
    data = TrainingData('six', '', classes, split, split)
    return TrainingFrames(data, torch.device('cpu'), 0.25)


def seen(batch):
    return batch.labels[:, 0, 0].tolist()


def test_each_frame_is_seen_once_a_round(frames):
    batches = Batches(frames, PLAIN, seed=0)
    order = [label for _ in range(6) for label in seen(next(batches))]
    rounds = [order[start : start + 6] for start in range(0, 24, 6)]
    assert all(sorted(part) == list(range(6)) for part in rounds)
    assert len({tuple(part) for part in rounds}) == 4
    other = Batches(frames, PLAIN, seed=1)
    assert [label for _ in range(6) for label in seen(next(other))] != order


def test_batches_are_bytes_less_their_mean(frames):
    batch = next(Batches(frames, PLAIN, seed=0))
    assert batch.images.is_contiguous(memory_format=torch.channels_last) and batch.own is None
    torch.testing.assert_close(batch.images[:, 0, 0, 0], 10.0 * torch.tensor(seen(batch)) - 25)
    batches = Batches(frames, PLAIN, seed=0)
    noise = batches.noise()
    assert noise.images.shape == batch.images.shape and noise.labels.shape == batch.labels.shape
    assert noise.images.stride() == batch.images.stride()
    assert noise.images.dtype == batch.images.dtype and noise.labels.dtype == batch.labels.dtype
    assert noise.labels.min() >= 0 and noise.labels.max() < len(frames.class_weights)
    assert seen(next(batches)) == seen(batch)  # it took no frames


def test_processes_take_their_own_parts_of_one_order(frames):
    whole = Batches(frames, PLAIN, seed=0)
    parts = [Batches(frames, PLAIN, seed=0, rank=rank, ranks=2) for rank in range(2)]
    for _ in range(5):
        together = [label for part in parts for label in seen(next(part))]
        assert together == seen(next(whole))
    bright = PLAIN.with_values(['brightness=0.2'])
    offsets = []
    for rank in range(2):
        batch = next(Batches(frames, bright, seed=0, rank=rank, ranks=2))
        offsets.append(batch.images[:, 0, 0, 0] - (10.0 * torch.tensor(seen(batch)) - 25))
    assert not torch.equal(*offsets)  # views of their own


def test_going_on_from_a_state(frames):
    recipe = PLAIN.with_values(['contrast=0.3', 'classmix=0.5', 'cutmix=0.5', 'mixup=0.5'])
    batches, other = (Batches(frames, recipe, seed=seed) for seed in (0, 1))
    for _ in range(4):
        next(batches)
    other.load_state(batches.state())
    for _ in range(3):
        for ours, theirs in zip(next(batches), next(other)):
            assert torch.equal(ours, theirs)


def test_more_frames_a_step_than_there_are(frames):
    batch = next(Batches(frames, PLAIN.with_values(['batch=15']), seed=0))
    assert np.bincount(seen(batch)).min() >= 2 and len(batch.images) == 15


@pytest.mark.parametrize('key', ['classmix', 'cutmix', 'mixup'])
def test_frames_are_put_together_for_steps_but_not_for_statistics(frames, key):
    recipe = PLAIN.with_values([f'{key}=1'])
    batches = Batches(frames, recipe, seed=0)
    stepped = torch.cat([next(batches).images for _ in range(3)])
    alone = torch.cat(list(views(frames, recipe, 0, 3)))
    plain = Batches(frames, PLAIN, seed=0)
    assert torch.equal(alone, torch.cat([next(plain).images for _ in range(3)]))
    assert not torch.equal(stepped, alone)


def test_plain_frames_are_what_a_network_will_see(frames):
    values = ['zoom_min=0.5', 'zoom_max=2', 'rotation=180', 'mixup=1', 'classmix=1', 'cutmix=1']
    colors = ['brightness=1', 'contrast=3', 'color=1', 'noise=50']
    augmented = PLAIN.with_values([*values, *colors])
    batch = next(Batches(frames, augmented.without_augmentation(), seed=0))
    assert torch.equal(batch.images, next(Batches(frames, PLAIN, seed=0)).images)
    assert batch.own is None
    assert not torch.equal(next(Batches(frames, augmented, seed=0)).images, batch.images)
