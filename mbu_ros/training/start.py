# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Going on from a deployed model."""

from __future__ import annotations

from collections.abc import Callable

from mbu_ros.errors import InputError
from mbu_ros.model.catalog import find_model
from mbu_ros.model.file import load_model
from mbu_ros.network.restore import restore
from mbu_ros.network.unet import UNet
from mbu_ros.training.batches import TrainingFrames, views
from mbu_ros.training.networks import STARTED
from mbu_ros.training.run import Run

DEFAULT_WIDTH, DEFAULT_DEPTH = 16, 4
MEASURED_BATCHES = 15
"""Batches of augmented frames of which the model's sums are measured."""


def start_size(start: str | None, width: int | None, depth: int | None) -> tuple[int, int]:
    """Width and depth of a run's networks.

    Args:
        start: the model it starts from, by name or path, if any.
        width, depth: as asked for; None: those of the model, or of this package.

    Raises:
        InputError: the model cannot be loaded, or is of another size than was asked for.
    """
    if start is None:
        return (
            DEFAULT_WIDTH if width is None else width,
            DEFAULT_DEPTH if depth is None else depth,
        )
    model = load_model(find_model(start))
    for name, asked, own in (('width', width, model.width), ('depth', depth, model.depth)):
        if asked not in (None, own):
            raise InputError(
                f'{start} is of {name} {own}, so a run that starts from it cannot be of {asked}; '
                f'leave out --{name}'
            )
    return model.width, model.depth


def restore_start(
    run: Run, frames: TrainingFrames, say: Callable[[str], object] = lambda text: None
) -> UNet:
    """The model that a run starts from as a network that can learn on.

    With a new head where the run's classes are not the model's.

    Args:
        run: has `settings.start`.
        frames: of its train split, on the device where the network is to be.
        say: is told so.

    Raises:
        InputError: the model is gone, or damaged.
    """
    model = load_model(find_model(run.settings.start))
    keep_head = model.classes.names == run.classes.names
    new_head = '' if keep_head else ', with a new head, since that has other classes'
    say(f'{STARTED}: goes on from {run.settings.start}{new_head}')
    settings = run.settings
    return restore(
        model,
        views(frames, settings.recipe, settings.seed, MEASURED_BATCHES),
        mean=run.mean,
        classes=len(run.classes),
        keep_head=keep_head,
        device=frames.device,
    )
