# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed: pip install mbu_ros[torch]')

from mbu_ros.training.augment import augment  # noqa: E402
from mbu_ros.training.recipe import RECIPES  # noqa: E402

MEAN = torch.tensor([100.0, 110.0, 120.0]).reshape(1, 3, 1, 1)
RECIPE = RECIPES['standard'].with_values(
    [
        *('zoom_min=0.75', 'zoom_max=1.6', 'brightness=0.15', 'contrast=0.25'),
        *('color=0', 'rotation=0'),
    ]
)
STILL = RECIPE.with_values(['brightness=0', 'contrast=0'])


def batch(seed, count=64, recipe=RECIPE):
    """Frames whose left half is dark and labelled 1, whose right half is bright and labelled 2."""
    images = torch.full((count, 3, 20, 30), 40, dtype=torch.uint8)
    images[..., 15:] = 200
    labels = torch.ones(count, 20, 30, dtype=torch.uint8)
    labels[..., 15:] = 2
    return augment(images, labels, MEAN, recipe, torch.Generator().manual_seed(seed))


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


@pytest.mark.parametrize('rotation', [0, 30])
@pytest.mark.parametrize('axis', [0, 1])
def test_labels_lie_on_their_pixels_along_both_axes(axis, rotation):
    """On a ramp, whose values and labels are both the coordinate."""
    recipe = STILL.with_values([f'rotation={rotation}'])
    ramp = torch.arange(120, dtype=torch.uint8)
    ramp = ramp[:, None].expand(120, 120) if axis == 0 else ramp[None].expand(120, 120)
    labels = ramp.expand(32, 120, 120).contiguous()
    images = ramp.expand(32, 3, 120, 120).contiguous()
    views, moved = augment(images, labels, MEAN, recipe, torch.Generator().manual_seed(5))
    inside = (moved > 1) & (moved < 118)
    difference = ((views + MEAN)[:, 0] - moved)[inside]
    assert difference.abs().max() <= 1
    assert difference.mean().abs() < 0.05
    # And the frames are shifted along this axis, each in its own way.
    centers = moved[:, 60, 60].float()
    assert centers[centers < 255].std() > 5


def test_contrast_varies():
    views, labels = batch(6, recipe=RECIPE.with_values(['brightness=0']))
    spans = [
        (view[0][label == 2].median() - view[0][label == 1].median()).item()
        for view, label in zip(views, labels)
        if (label == 1).any() and (label == 2).any()
    ]
    assert min(spans) < 150 and max(spans) > 170  # 160 as it is; 200 cannot exceed 255


def test_colors_vary_each_on_its_own_and_only_where_asked_for():
    labels = torch.zeros(64, 8, 8, dtype=torch.uint8)
    images = torch.full((64, 3, 8, 8), 100, dtype=torch.uint8)
    recipe = STILL.with_values(['zoom_min=1', 'zoom_max=1'])
    for color in (0.0, 0.2):
        changed = recipe.with_values([f'color={color}'])
        views, _ = augment(images, labels, MEAN, changed, torch.Generator().manual_seed(7))
        gains = (views + MEAN)[:, :, 4, 4] / 100
        if color == 0:
            assert (gains == 1).all()
            continue
        assert gains.min() < 0.9 and gains.max() > 1.1
        assert (gains.log().abs() <= color + 0.01).all()
        assert torch.corrcoef(gains.T).fill_diagonal_(0).abs().max() < 0.4


def test_views_are_turned_rigidly():
    """A cross in the middle of a wide frame, whose two lines must turn by the same angle."""
    labels = torch.zeros(32, 60, 120, dtype=torch.uint8)
    labels[:, :, 58:62] = 1
    labels[:, 28:32, :56] = labels[:, 28:32, 64:] = 2
    images = torch.zeros(32, 3, 60, 120, dtype=torch.uint8)
    recipe = STILL.with_values(['zoom_min=1', 'zoom_max=1', 'rotation=20'])
    _, turned = augment(images, labels, MEAN, recipe, torch.Generator().manual_seed(8))
    angles = []
    for label in turned:
        rows, columns = (t.float() for t in torch.nonzero(label == 1, as_tuple=True))
        vertical = angle(rows[(rows > 10) & (rows < 50)], columns[(rows > 10) & (rows < 50)])
        rows, columns = (t.float() for t in torch.nonzero(label == 2, as_tuple=True))
        middle = (columns > 25) & (columns < 95)  # where nothing has left the frame
        assert abs(angle(columns[middle], rows[middle]) + vertical) < 1.5
        angles.append(vertical)
    assert max(angles) > 10 and min(angles) < -10
    assert max(map(abs, angles)) < 21


def angle(along, across):
    """Degrees by which a line of pixels leaves its axis."""
    slope = torch.linalg.lstsq(
        torch.stack([along, torch.ones_like(along)], dim=1), across.unsqueeze(1)
    ).solution[0, 0]
    return torch.rad2deg(torch.atan(slope)).item()


def test_noise_is_of_every_strength_up_to_the_largest_and_on_pixels_alone():
    """On frames of one grey, whose views without noise are of it too."""
    images = torch.full((64, 3, 40, 60), 128, dtype=torch.uint8)
    labels = torch.zeros(64, 40, 60, dtype=torch.uint8)

    def draw(noise):
        recipe = STILL.with_values([f'noise={noise}'])
        return augment(images, labels, MEAN, recipe, torch.Generator().manual_seed(6))

    (views, moved), (plain, unmoved) = draw(8), draw(0)
    assert torch.equal(moved, unmoved)
    outside = (moved == 255).unsqueeze(1).expand_as(views)
    assert torch.equal(views[outside], plain[outside])
    spread = torch.stack([
        (view - still)[:, label != 255].std()
        for view, still, label in zip(views, plain, moved)
    ])
    assert spread.max() < 9 and spread.max() > 6 and spread.min() < 2
    assert (views - plain)[~outside].mean().abs() < 0.1
    assert torch.equal(views, views.round())
