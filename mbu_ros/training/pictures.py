# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of a training run: learning curves (these need matplotlib), and sample masks."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mbu_ros.data.sample import ClassMap
from mbu_ros.imaging.overlay import colorize
from mbu_ros.imaging.sheet import fit_width, write_sheet
from mbu_ros.replacing import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MATPLOTLIB_MISSING = (
    "No picture of the curves: matplotlib is not installed; pip install 'mbu_ros[train]'"
)
COLORS = {
    'float': '#0072b2',
    'float_longer': '#56b4e9',
    'masked': '#d55e00',
    'chosen': '#009e73',
    'binary': '#404040',
}
"""Told apart by colour-blind readers too (Okabe and Ito)."""
MORE_COLORS = ('#cc79a7', '#e69f00', '#8c564b', '#7f7f7f')
"""For networks of other names, in turn."""
PANELS = {
    'loss': 'loss (a student: with distillation)',
    'learning_rate': 'learning rate',
    'val_miou': 'val mIoU',
}
POINTS = 120
"""Most points of a curve; each is the mean of those that it stands for."""
SHEET_WIDTH = 1680
"""Pixels that the pictures of one row of the sheet share."""
NARROWEST, WIDEST = 112, 320
"""Pixels of one picture of the sheet; a title needs the first."""


def write_curves(path: Path, histories: Mapping[str, Sequence[dict]]) -> bool:
    """Draw loss, learning rate and mIoU over seconds of training, as a PNG 1000 pixels wide.

    Args:
        path: file to write.
        histories: by network, points with `seconds` and the keys of `PANELS`, each of them None
            where it was not measured.

    Returns:
        False where matplotlib is not installed, and nothing was written; `MATPLOTLIB_MISSING` says
        what to do.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure  # needs no display
        from PIL import Image  # which matplotlib brings
    except ImportError:
        return False
    figure = Figure(figsize=(10, 10), dpi=100, layout='constrained')
    axes = figure.subplots(len(PANELS), sharex=True, height_ratios=(3, 2, 4))
    panels = dict(zip(PANELS, axes))
    more = iter(MORE_COLORS * len(histories))
    colors = {name: COLORS.get(name) or next(more) for name in histories}
    for key, axis in panels.items():
        for name, history in histories.items():
            _curve(axis, history, key, name, colors[name])
        axis.set_title(PANELS[key], fontsize=12, loc='left')
        axis.grid(color='#e0e0e0')
    if any((line.get_ydata() > 0).any() for line in panels['loss'].lines):
        panels['loss'].set_yscale('log')
    panels['val_miou'].set_xlabel("seconds of the network's own training")
    # Above the panels, where it hides no curve.
    handles, names = panels['loss'].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc='outside upper center', ncols=5, fontsize=12)
    drawn = io.BytesIO()
    figure.savefig(drawn, format='png')
    with replacing(path) as temporary:
        # 256 colours look the same and take a third of the bytes.
        Image.open(drawn).convert('RGB').quantize().save(temporary, 'PNG', optimize=True)
    return True


def sample_frames(frames: int, count: int = 4) -> list[int]:
    """Indices of at most `count` frames, evenly over a split of so many."""
    if frames <= count:
        return list(range(frames))
    return [(2 * place + 1) * frames // (2 * count) for place in range(count)]


def write_samples(
    path: Path,
    images: np.ndarray,
    labels: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    classes: ClassMap,
    titles: Sequence[str],
) -> None:
    """Write frames beside their labels and each network's masks, as a PNG.

    Args:
        path: file to write.
        images: uint8 [N, H, W, 3] RGB; N rows, of which four are a good number.
        labels: uint8 [N, H, W]; unlabelled pixels (255) become black.
        predictions: by network, uint8 [N, H, W].
        classes: names and colours of the classes.
        titles: a caption per frame.

    Raises:
        InputError: the file cannot be written.
    """
    columns = ['image', 'label', *predictions]
    width = min(max(SHEET_WIDTH // len(columns), NARROWEST), WIDEST)
    masks = (labels, *predictions.values())
    rows = [
        [
            _at_width(image, width),
            *(colorize(_at_width(mask[index], width), classes.colors) for mask in masks),
        ]
        for index, image in enumerate(images)
    ]
    write_sheet(path, rows, columns, titles, classes)


def _at_width(picture: np.ndarray, width: int) -> np.ndarray:
    """Scaled down to `width`; a picture too narrow for its title is repeated pixel by pixel."""
    times = -(-NARROWEST // picture.shape[1])
    return fit_width(picture.repeat(times, axis=0).repeat(times, axis=1), width)


def _curve(axis: Axes, history: Sequence[dict], key: str, name: str, color: str) -> None:
    points = [
        (point['seconds'], point[key]) for point in history if point.get(key) is not None
    ]
    if not points:
        return
    # Hundreds of noisy points a curve would hide each other.
    parts = np.array_split(np.array(points, np.float64), min(POINTS, len(points)))
    seconds, values = np.array([part.mean(axis=0) for part in parts]).T
    rare = len(points) < 40
    axis.plot(
        seconds, values, '.-' if rare else '-', color=color, linewidth=1.6, markersize=7, label=name
    )
