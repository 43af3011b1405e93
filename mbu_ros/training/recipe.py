# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a training run is told: the network, the time and the stages it is spent on."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from mbu_ros.errors import InputError
from mbu_ros.model.file import MAX_DEPTH, MAX_WIDTH
from mbu_ros.network.unet import Precision


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes:
        name: for people and checkpoints.
        precision: what is quantised.
        share: of the whole time.
        distilled: whether the float teacher guides it.
        weight_decay: of AdamW; decaying latent weights would only change their step size.
    """

    name: str
    precision: Precision
    share: float
    distilled: bool
    weight_decay: float


STAGES = (
    Stage('teacher', Precision.FLOAT, 0.22, False, 1e-2),
    Stage('binary activations', Precision.BINARY_ACTIVATIONS, 0.26, True, 0.0),
    Stage('masked binary', Precision.QUANTIZED, 0.52, True, 0.0),
)
"""Going to bits in steps, guided throughout, loses a point where going at once loses fifteen."""


@dataclass(frozen=True)
class Settings:
    """Settings of one run; a resumed run must have the same, so a checkpoint carries them.

    Attributes:
        width, depth: of the network.
        masked: see `network.masking.make_plan`.
        minutes: time for the steps of all stages; evaluation, and taking batch norm's statistics
            at the end of each, come on top.
        batch: frames per step.
        learning_rate: at the start of each stage; it falls to 0 along a cosine.
        seed: of initial weights, order of frames and augmentation.
    """

    width: int = 16
    depth: int = 4
    masked: str = 'all'
    minutes: float = 10.0
    batch: int = 8
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ('width', 1, MAX_WIDTH),
            ('depth', 1, MAX_DEPTH),
            ('batch', 1, 4096),
            ('seed', 0, 2**31 - 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise InputError(
                    f'{name} is {getattr(self, name)}; it must be {low} to {high}'
                )
        for name in ('minutes', 'learning_rate'):
            if not 0 < getattr(self, name) < float('inf'):
                raise InputError(f'{name} is {getattr(self, name)}; it must be positive')

    def as_dict(self) -> dict:
        """Plain values, for checkpoints and the model's metadata."""
        return asdict(self)
