# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several networks that teach together: students learn from the mean of their logits.

Float networks of this run and of others, and deployed models, which know what their own teachers
knew, long after those are gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mbu_ros.errors import InputError
from mbu_ros.model.deployed import Model
from mbu_ros.network.unet import UNet
from mbu_ros.training.batches import TrainingFrames
from mbu_ros.training.networks import TEACHER
from mbu_ros.training.run import COMMON_DATA, SAME_FRAMES, Run, open_run
from mbu_ros.training.settings import Settings
from mbu_ros.training.start import open_source, restored


class Teachers(nn.Module):
    """An ensemble (Hinton et al. 2015, arXiv 1503.02531) that is called as one network is.

    Args:
        networks: of the same classes and mean; the first is the one whose features count.
    """

    def __init__(self, networks: Sequence[UNet]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(
        self, x: Tensor, features: bool = False
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """As `UNet.forward`: the mean of all logits, and the features of the first network."""
        first, *others = self.networks
        logits, seen = first(x, True) if features else (first(x), [])
        logits = torch.stack([logits, *(network(x) for network in others)]).mean(dim=0)
        return (logits, seen) if features else logits


def check_teachers(settings: Settings, data: dict[str, Any]) -> None:
    """Raise InputError where other teachers are missing, or do not suit the run.

    Args:
        settings: of the run whose networks they shall teach.
        data: of that run, as `run.describe` gives it.
    """
    for name in settings.teachers:
        source = open_source(name)
        if isinstance(source, Model):
            if list(source.classes.names) != data['classes']:
                raise InputError(
                    f'{name} is a model of the classes {", ".join(source.classes.names)}, not '
                    f'{", ".join(data["classes"])}; leave it out of --teachers'
                )
            continue
        source.check_data(data, COMMON_DATA)
        if not source.has(TEACHER):
            raise InputError(
                f'{name} has no finished network {TEACHER!r} to teach; finish that run with '
                '--resume, or leave it out of --teachers'
            )
    if settings.recipe.feature_loss and settings.teachers and TEACHER not in settings.networks:
        _check_features(settings)


def other_results(run: Run) -> dict[str, dict]:
    """Results of other runs' teachers that were evaluated on the very frames of this run.

    Returns:
        By 'float of FOLDER', as `run.json` has them; without those whose runs are gone by now, and
        without models, which are of no run.
    """
    found = {}
    for folder in run.settings.teachers:
        try:
            other = open_run(folder)
            other.check_data(run.data, SAME_FRAMES)
        except InputError:
            continue
        if TEACHER in other.results:
            found[f'{TEACHER} of {folder}'] = other.results[TEACHER]
    return found


def _check_features(settings: Settings) -> None:
    """Raise InputError where the first teacher has other features than those that learn from it."""
    first = open_source(settings.teachers[0])
    if isinstance(first, Model):
        raise InputError(
            f'feature_loss compares features with those of {settings.teachers[0]}, which is a '
            'model and has bits instead; set it to 0, or name the folder of a run first in '
            '--teachers'
        )
    other = first.settings
    for name in ('width', 'depth'):
        own, theirs = getattr(settings, name), getattr(other, name)
        if own != theirs:
            raise InputError(
                f'feature_loss compares features with those of {settings.teachers[0]}, which is of '
                f'{name} {theirs}, not {own}; set it to 0, or name another run first in --teachers'
            )


def load_teacher(run: Run, frames: TrainingFrames) -> nn.Module:
    """The run's float network, if it has one, and the other teachers that its settings name.

    Args:
        run: whose networks they shall teach.
        frames: of its train split, on which a model's sums are measured.

    Raises:
        InputError: one of them is gone, or damaged.
    """
    teachers = [run.network(TEACHER)] if TEACHER in run.settings.networks else []
    for name in run.settings.teachers:
        source = open_source(name)
        is_model = isinstance(source, Model)
        teachers.append(restored(source, run, frames) if is_model else source.network(TEACHER))
    return Teachers(teachers) if len(teachers) > 1 else teachers[0]
