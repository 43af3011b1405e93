# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.training.mixing import mix, paste  # noqa: E402
from mbu_ros.training.recipe import RECIPES  # noqa: E402

HEIGHT, WIDTH = 30, 50


def pasted(count, seed=0, **probabilities):
    """Frames of their own grey, labelled 0 to 2 in columns, unlabelled at the right; pasted."""
    grey = torch.arange(count, dtype=torch.float32).reshape(-1, 1, 1, 1)
    images = grey.expand(count, 3, HEIGHT, WIDTH)
    labels = (torch.arange(WIDTH) // 14).expand(count, HEIGHT, WIDTH).clone()
    labels[labels == 3] = 255
    labels[1::2] = labels[1::2].flip(-1)  # so that a frame's neighbours have others there
    recipe = RECIPES['standard'].with_values([f'{k}={v}' for k, v in probabilities.items()])
    found = paste(images, labels, recipe, torch.Generator().manual_seed(seed))
    return images, labels, *found


def came(images, found):
    """Where pixels are those of the frame before, bool [N, H, W]."""
    other = found != images
    assert torch.equal(other[:, 0], other[:, 1]) and torch.equal(other[:, 0], other[:, 2])
    assert torch.equal(found[other], images.roll(1, 0)[other])
    return other[:, 0]


@pytest.mark.parametrize('key', ['classmix', 'cutmix'])
def test_labels_come_with_their_pixels(key):
    images, labels, found, moved = pasted(64, **{key: 1})
    there = came(images, found)
    assert torch.equal(moved, torch.where(there, labels.roll(1, 0), labels))
    assert there.any() and not there.all()


def test_without_probabilities_nothing_is_drawn_or_changed():
    images, labels, found, moved = pasted(8)
    assert found is images and moved is labels


def test_whole_classes_are_pasted_about_half_of_them_and_nothing_unlabelled():
    images, labels, found, _ = pasted(400, classmix=1)
    there, other = came(images, found), labels.roll(1, 0)
    assert not there[other == 255].any()
    drawn = []
    for label in range(3):
        taken = torch.stack([t[o == label].float().mean() for t, o in zip(there, other)])
        assert set(taken.tolist()) == {0.0, 1.0}
        drawn.append(taken)
    assert all(0.4 < taken.mean() < 0.6 for taken in drawn)
    assert torch.corrcoef(torch.stack(drawn)).fill_diagonal_(0).abs().max() < 0.2


def test_rectangles_are_of_all_sizes_and_everywhere():
    images, _, found, _ = pasted(400, cutmix=1)
    there = came(images, found)
    for frame in there:
        rows, columns = frame.any(1), frame.any(0)
        assert torch.equal(frame, rows[:, None] & columns)
        for line in (rows, columns):  # one piece
            assert (line.int().diff() == 1).sum() + line[0] == line.any()
    shares = there.float().mean(dim=(1, 2))
    assert shares.min() < 0.02 and shares.max() > 0.6 and 0.2 < shares.mean() < 0.4
    assert there.float().mean(0).min() > 0.1  # no pixel is spared
    inner = [(f.any(1).sum() / HEIGHT, f.any(0).sum() / WIDTH) for f in there if not edged(f)]
    for height, width in inner:  # of the frame's aspect, to a pixel
        assert abs(height - width) < 1 / HEIGHT + 1 / WIDTH
    assert len(inner) > 50


def edged(frame):
    return bool(frame[0].any() | frame[-1].any() | frame[:, 0].any() | frame[:, -1].any())


@pytest.mark.parametrize('key', ['classmix', 'cutmix'])
def test_so_many_frames_get_something(key):
    images, _, found, _ = pasted(1000, **{key: 0.3})
    share = came(images, found).flatten(1).any(1).float().mean()
    # In one of eight draws of classes none is drawn; the smallest rectangles miss all pixels.
    assert 0.2 < share < 0.35


def test_both_at_once_and_the_seed_decides():
    images, labels, found, moved = pasted(64, classmix=0.5, cutmix=0.5)
    _, _, again, same = pasted(64, classmix=0.5, cutmix=0.5)
    assert torch.equal(found, again) and torch.equal(moved, same)
    _, _, other, _ = pasted(64, seed=1, classmix=0.5, cutmix=0.5)
    assert not torch.equal(found, other)
    # A rectangle is of the frame as it was pasted into before.
    before = pasted(64, classmix=0.5)[2]
    changed = found != before
    assert changed.any() and torch.equal(found[changed], before.roll(1, 0)[changed])


def test_frames_are_blended_with_the_one_before():
    images = torch.tensor([0.0, 100.0, 200.0]).reshape(3, 1, 1, 1).expand(3, 3, 2, 2)
    generator = torch.Generator().manual_seed(0)
    same, own = mix(images, 0.0, generator)
    assert torch.equal(same, images) and (own == 1).all()
    mixed, own = mix(images, 1.0, generator)
    assert ((own > 0) & (own < 1)).all() and torch.equal(mixed, mixed.round())
    expected = own * images[:, 0, 0, 0] + (1 - own) * torch.tensor([200.0, 0.0, 100.0])
    assert (mixed[:, 0, 0, 0] - expected).abs().max() <= 0.5
    some = [mix(images, 0.5, generator)[1] for _ in range(100)]
    assert 0.4 < (torch.stack(some) < 1).float().mean() < 0.6
