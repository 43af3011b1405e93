# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The networks of a run: what each is, what it starts from and learns from, and in which stages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mbu_ros.network.unet import Precision

if TYPE_CHECKING:
    from mbu_ros.training.recipe import Recipe


CHOSEN = 'by gain and cost'
"""Stands for the plan that is chosen once the gains of second planes have been measured."""


@dataclass(frozen=True)
class Kind:
    """One network of the table.

    Attributes:
        start: the network whose weights it starts from; None: random ones.
        teacher: the network that guides it; None: nobody.
        masked: which layers have two planes, as `network.masking.make_plan` takes it, or `CHOSEN`;
            None for a float network.
        share: the field of the recipe that has its share of the time.
        staged: whether it goes to bits in the steps that the recipe names, or starts from a network
            that is there already.
    """

    start: str | None
    teacher: str | None
    masked: str | None
    share: str
    staged: bool = False

    @property
    def quantized(self) -> bool:
        """Whether it is deployed in bits."""
        return self.masked is not None

    def needs(self, *, goes_on: bool = False, taught: bool = False) -> tuple[str, ...]:
        """The networks that must be there before it.

        Args:
            goes_on: whether it goes on from what `Settings.start` names.
            taught: whether there are other teachers, as `Settings.teachers` names them.
        """
        names = (None if goes_on else self.start, None if taught else self.teacher)
        return tuple(dict.fromkeys(name for name in names if name))


TEACHER = 'float'
"""The network that teaches the others."""

NETWORKS = {
    'float': Kind(None, None, None, 'float_share'),
    # In all it gets the time of `masked` and its teacher together: a fair thing to compare with.
    'float_longer': Kind('float', None, None, 'masked_share'),
    'masked': Kind('float', TEACHER, 'all', 'masked_share', staged=True),
    'chosen': Kind('masked', TEACHER, CHOSEN, 'chosen_share'),
    'binary': Kind('float', TEACHER, 'none', 'masked_share', staged=True),
}
"""All networks, in an order in which each comes after what it needs."""

GOING_ON = ('float', 'masked', 'chosen')
"""The networks that may go on from those of another run instead."""


def from_model(networks: Collection[str]) -> str | None:
    """The one of a run's networks that may go on from a deployed model instead, if any.

    That is `masked`, which loses no plane of the model; where the run has none, `chosen`, which
    keeps the model's plan.
    """
    return next((name for name in ('masked', 'chosen') if name in networks), None)


@dataclass(frozen=True)
class Stage:
    """A part of a network's training, with a learning rate that falls.

    Attributes:
        name: for people and checkpoints.
        precision: what is quantised.
        share: of the network's time; those of all its stages are 1 together.
        weight_decay: of AdamW; decaying latent weights would only change their step size.
        blending: share of the stage in which quantised weights blend in.
    """

    name: str
    precision: Precision
    share: float = 1.0
    weight_decay: float = 0.0
    blending: float = 0.0


def stages(kind: Kind, recipe: Recipe, *, deployed: bool = False) -> tuple[Stage, ...]:
    """The stages of a network of this kind.

    Going to bits in steps, guided throughout, loses a point where going at once loses fifteen.

    Args:
        kind: what it is.
        recipe: how it is trained.
        deployed: whether it starts from a model or network that is all bits already.
    """
    if not kind.quantized:
        return (Stage('float', Precision.FLOAT, weight_decay=recipe.float_weight_decay),)
    if deployed or not kind.staged:
        return (Stage('quantized', Precision.QUANTIZED),)
    share = 1 - recipe.activation_stage
    quantized = Stage(
        'quantized', Precision.QUANTIZED, share, blending=min(1.0, recipe.progressive / share)
    )
    if not recipe.activation_stage:
        return (quantized,)
    activations = Stage(
        'binary activations', Precision.BINARY_ACTIVATIONS, recipe.activation_stage
    )
    return activations, quantized
