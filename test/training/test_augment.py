# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.training import augment as module  # noqa: E402
from mbu_ros.training.augment import augment  # noqa: E402

MEAN = torch.tensor([100.0, 110.0, 120.0]).reshape(1, 3, 1, 1)


def batch(seed, count=64):
    """Frames whose left half is dark and labelled 1, whose right half is bright and labelled 2."""
    images = torch.full((count, 3, 20, 30), 40, dtype=torch.uint8)
    images[..., 15:] = 200
    labels = torch.ones(count, 20, 30, dtype=torch.uint8)
    labels[..., 15:] = 2
    return augment(images, labels, MEAN, torch.Generator().manual_seed(seed))


def test_images_and_labels_move_together():
    views, labels = batch(0)
    assert views.shape == (64, 3, 20, 30) and labels.dtype == torch.int64
    assert set(labels.unique().tolist()) == {1, 2, 255}
    for view, label in zip(views, labels):
        dark, bright = view[0][label == 1], view[0][label == 2]
        if len(dark) and len(bright):
            assert dark.median() < bright.median()


def test_outside_the_frame_is_mean_and_unlabelled():
    views, labels = batch(1)
    outside = (labels == 255).unsqueeze(1).expand_as(views)
    assert outside.any()
    assert (views[outside] == 0).float().mean() > 0.95  # but for pixels that straddle the edge


def test_pixels_stay_whole_bytes():
    views, _ = batch(2)
    values = views + MEAN
    assert torch.equal(values, values.round())
    assert values.min() >= 0 and values.max() <= 255


def test_flips_and_zooms_occur_and_the_seed_decides():
    views, labels = batch(3)
    left = [label[:, 0].mode().values.item() for label in labels]
    assert 1 in left and 2 in left
    again, _ = batch(3)
    assert torch.equal(views, again)
    other, _ = batch(4)
    assert not torch.equal(views, other)


@pytest.mark.parametrize('axis', [0, 1])
def test_labels_lie_on_their_pixels_along_both_axes(axis, monkeypatch):
    """On a ramp, whose values and labels are both the coordinate."""
    monkeypatch.setattr(module, 'CONTRAST', 0.0)
    monkeypatch.setattr(module, 'BRIGHTNESS', 0.0)
    ramp = torch.arange(120, dtype=torch.uint8)
    ramp = ramp[:, None].expand(120, 120) if axis == 0 else ramp[None].expand(120, 120)
    labels = ramp.expand(32, 120, 120).contiguous()
    images = ramp.expand(32, 3, 120, 120).contiguous()
    views, moved = augment(images, labels, MEAN, torch.Generator().manual_seed(5))
    inside = (moved > 1) & (moved < 118)
    difference = ((views + MEAN)[:, 0] - moved)[inside]
    assert difference.abs().max() <= 1
    assert difference.mean().abs() < 0.05
    # And the frames are shifted along this axis, each in its own way.
    centers = moved[:, 60, 60].float()
    assert centers[centers < 255].std() > 5


def test_contrast_varies(monkeypatch):
    monkeypatch.setattr(module, 'BRIGHTNESS', 0.0)
    views, labels = batch(6)
    spans = [
        (view[0][label == 2].median() - view[0][label == 1].median()).item()
        for view, label in zip(views, labels)
        if (label == 1).any() and (label == 2).any()
    ]
    assert min(spans) < 150 and max(spans) > 170  # 160 as it is; 200 cannot exceed 255
