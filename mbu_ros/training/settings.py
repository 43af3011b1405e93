# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a training run is told: the recipe, the networks and their size, the time and the seed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mbu_ros.errors import InputError
from mbu_ros.model.file import MAX_DEPTH, MAX_WIDTH
from mbu_ros.training.networks import GOING_ON, NETWORKS, Kind
from mbu_ros.training.recipe import RECIPES, Recipe


@dataclass(frozen=True)
class Settings:
    """Settings of one run; a run that is resumed must have the same.

    Attributes:
        recipe: how to train.
        width, depth: of the networks.
        minutes: time for the training steps of all networks. What comes on top: compiling, taking
            batch norm's statistics, choosing a plan, checkpoints and evaluation.
        seed: of initial weights, order of frames and augmentation.
        networks: which of `networks.NETWORKS` to train; always in the order they have there.
        budget: operations that the chosen plan may have, over the all-binary network's.
        start: a deployed model, by name or path, that `masked` goes on from, or, where that is not
            among the networks, `chosen`, with the model's plan; or the folder of a run that each of
            `networks.GOING_ON` goes on from as far as it has them, with the plan of `chosen`. None:
            `float` has random weights, and `masked` starts from it.
        keep: networks of the run in `start` that are taken over as they are instead, in no time.
        plan: a deployed model, by name or path, whose plan is that of `chosen`. None: that of
            `start`, or one that is chosen by gain and cost.
        teachers: folders of runs of the same data whose float networks teach, and deployed models
            of the same classes that do, by name or path, beside the float network of the run itself
            where it has one.
    """

    recipe: Recipe = field(default_factory=lambda: next(iter(RECIPES.values())))
    width: int = 16
    depth: int = 4
    minutes: float = 10.0
    seed: int = 0
    networks: tuple[str, ...] = tuple(NETWORKS)
    budget: float = 1.5
    start: str | None = None
    keep: tuple[str, ...] = ()
    plan: str | None = None
    teachers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, low, high in (
            ('width', 1, MAX_WIDTH),
            ('depth', 1, MAX_DEPTH),
            ('seed', 0, 2**31 - 1),
            ('budget', 1, 2),
        ):
            if not low <= getattr(self, name) <= high:
                raise InputError(
                    f'{name} is {getattr(self, name)}; it must be {low} to {high}'
                )
        if not 0 < self.minutes < math.inf:
            raise InputError(f'minutes is {self.minutes}; it must be positive')
        if self.recipe.feature_loss and self.recipe.feature_level > self.depth:
            raise InputError(
                f'feature_level is {self.recipe.feature_level}, but the networks are of depth '
                f'{self.depth}; lower it'
            )
        self._check_networks()

    def _check_networks(self) -> None:
        if not self.networks:
            raise InputError(f'no network to train; choose some of {", ".join(NETWORKS)}')
        for name in self.networks:
            if name not in NETWORKS:
                raise InputError(f'no network {name!r}; choose some of {", ".join(NETWORKS)}')
            goes_on = self.start is not None and name in GOING_ON
            needs = self.needs(name, goes_on=goes_on)
            missing = [other for other in needs if other not in self.networks]
            if missing:
                raise InputError(
                    f'the network {name!r} needs {" and ".join(map(repr, missing))}; name it in '
                    '--networks too'
                )
        ordered = tuple(name for name in NETWORKS if name in self.networks)
        object.__setattr__(self, 'networks', ordered)
        self._check_kept()
        if self.plan is not None and 'chosen' not in self.networks:
            raise InputError("only the network 'chosen' takes a --plan; name it in --networks too")
        if self.teachers and not any(NETWORKS[name].teacher for name in self.networks):
            raise InputError(
                f'no network to teach among {", ".join(self.networks)}; name one in --networks, or '
                'leave out --teachers'
            )

    def _check_kept(self) -> None:
        if self.keep and self.start is None:
            raise InputError(
                f'nothing to take {self.keep[0]!r} over from; name the folder of a run in --start'
            )
        for name in self.keep:
            if name not in self.networks:
                raise InputError(
                    f'the network {name!r} is to be kept, but is not among '
                    f'{", ".join(self.networks)}; name it in --networks too'
                )
        if set(self.keep) == set(self.networks):
            raise InputError('all networks are kept, so none is left to train; keep fewer')
        ordered = tuple(name for name in self.networks if name in self.keep)
        object.__setattr__(self, 'keep', ordered)

    def kind(self, network: str) -> Kind:
        """What one of its networks is."""
        kind = NETWORKS[network]
        if network == 'chosen' and self.plan is not None and 'masked' not in self.networks:
            # Nothing is to be measured on `masked`, so it goes to bits in stages by itself.
            return dataclasses.replace(kind, start=NETWORKS['masked'].start, staged=True)
        return kind

    def needs(self, network: str, *, goes_on: bool = False) -> tuple[str, ...]:
        """The networks of the run that one needs; see `Kind.needs`."""
        return self.kind(network).needs(goes_on=goes_on, taught=bool(self.teachers))

    def seconds(self, network: str) -> float:
        """Time for the training steps of one of its networks that are not kept."""
        trained = [name for name in self.networks if name not in self.keep]
        shares = {name: getattr(self.recipe, NETWORKS[name].share) for name in trained}
        return 60 * self.minutes * shares[network] / sum(shares.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        values = dataclasses.asdict(self)
        lists = {key: list(values[key]) for key in ('networks', 'keep', 'teachers')}
        return {**values, **lists}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Settings:
        """What `as_dict` gave.

        Raises:
            InputError: a value is out of its range.
            KeyError, TypeError: they are not the settings of this release.
        """
        lists = {key: tuple(values.get(key, ())) for key in ('networks', 'keep', 'teachers')}
        # Runs that do not say what their heads read are of when there was no choice.
        recipe = Recipe(**{'head_input': 'bits', **values['recipe']})
        return Settings(**{**values, **lists, 'recipe': recipe})
