# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How networks are trained: losses, rates, augmentation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mbu_ros.errors import InputError
from mbu_ros.model.file import MAX_DEPTH
from mbu_ros.network.quantize import ACTIVATION_GRADIENTS, MAX_THRESHOLD
from mbu_ros.network.unet import HEAD_INPUTS

RANGES = {
    'float_share': (0.001, 1000),
    'masked_share': (0.001, 1000),
    'chosen_share': (0.001, 1000),
    'batch': (1, 4096),
    'learning_rate': (1e-8, 10),
    'final_rate': (0, 1),
    'float_weight_decay': (0, 10),
    'averaging': (0, 0.99999),
    'label_loss': (0, 1000),
    'logit_loss': (0, 1000),
    'feature_loss': (0, 1000),
    'feature_level': (0, MAX_DEPTH),
    'temperature': (0.1, 100),
    'class_weighting': (0, 2),
    'logit_weighting': (0, 2),
    'lovasz': (0, 1000),
    'activation_stage': (0, 0.95),
    'progressive': (0, 1),
    'mask_threshold': (0, MAX_THRESHOLD),
    'zoom_min': (0.1, 10),
    'zoom_max': (0.1, 10),
    'brightness': (0, 1),
    'contrast': (0, 3),
    'color': (0, 1),
    'noise': (0, 255),
    'rotation': (0, 180),
    'classmix': (0, 1),
    'cutmix': (0, 1),
    'mixup': (0, 1),
    'float_mixup': (0, 1),
    'refit_steps': (0, 1_000_000),
}
"""Least and largest value of each number of a recipe."""
CHOICES = {
    'activation_gradient': tuple(ACTIVATION_GRADIENTS),
    'head_input': tuple(HEAD_INPUTS),
}
"""What each word of a recipe may be."""
TOGETHER = ('classmix', 'cutmix', 'mixup', 'float_mixup')
"""Probabilities that a frame of a batch gets something of the one before it."""
CHANGES = ('brightness', 'contrast', 'color', 'noise', 'rotation', *TOGETHER)
"""What frames are changed by, beside their zoom; 0: not at all."""


@dataclass(frozen=True)
class Recipe:
    """How networks are trained. Plain values, so that an ablation is one of them changed.

    Attributes:
        name, description: for people.
        float_share, masked_share, chosen_share: relative times of the networks; those of
            `float_longer` and `binary` are that of `masked`.
        batch: frames per step, of all GPUs together.
        learning_rate: at the start of each stage.
        final_rate: the share of it that is left at the end of a stage, to which it falls along a
            cosine.
        float_weight_decay: of AdamW, for float networks.
        averaging: decay per step of the weights' exponential moving average, which is the result;
            0: the last weights are.
        label_loss, logit_loss, feature_loss: weights of a student's losses: cross entropy with the
            labels, KL divergence from the teacher's logits, and 1 - cosine similarity with the
            teacher's batch norm outputs. A network without a teacher has the first alone.
        feature_level: the feature loss is of layers whose outputs are of this level (poolings) or
            deeper; those of level 0 take more time than all others.
        temperature: of the KL divergence.
        class_weighting: in the cross entropy a class weighs (1 / its share of the pixels) to this
            power. More finds more of rare classes, and more where they are not.
        logit_weighting: the same of pixels in the KL divergence, by the classes that teacher and
            student see there. More of what a student can do goes to rare classes; what it shall
            say stays the same. Worse where the teacher itself does not find them.
        lovasz: weight of Lovász-softmax, which acts on mIoU itself, beside the cross entropy with
            the labels, in training and where the head is fitted to labels.
        teacher_flip: whether the teacher's logits are the mean of those of a frame and of its
            mirror image, which are better, and take the time of a second look.
        activation_stage: share of a student's time with binary activations and float weights.
        progressive: share of a student's time in which its quantised weights blend in, after that.
        activation_gradient: what stands in for the derivative of the sign; a key of
            `network.quantize.ACTIVATION_GRADIENTS`.
        head_input: what the head of a quantised network reads of the last layer; a key of
            `network.unet.HEAD_INPUTS`: its bits, or its sums in int8, as they are or as a ReLU
            gives them.
        mask_threshold: a weight is 0 where it is smaller than this times its channel's mean size.
        learned_thresholds: whether training changes that number, for each output channel.
        zoom_min, zoom_max: of the random views of frames; 1 is as they are.
        brightness: largest change, as a share of 255.
        contrast: largest change of its logarithm.
        color: largest change of the logarithm of each colour's gain.
        noise: largest standard deviation of normal noise, in grey levels, as a sensor's.
        rotation: largest angle, in degrees.
        classmix: probability that about half of another frame's classes are pasted over a frame.
        cutmix: probability that a rectangle of another frame is.
        mixup: probability that a frame is blended with another one, of networks with a teacher,
            which sees it, too.
        float_mixup: the same, of those without one.
        select_best: whether a network becomes what it was when its mIoU on val was best, of 12
            looks in its last stage and the end. Where few frames are learnt by heart, time makes
            networks worse.
        plain_statistics: whether batch norm's statistics are of frames as they are in the end, else
            of augmented ones.
        refit_steps: batches that the head of a quantised network is fitted to labels by in the end,
            all else as it is; takes no time of the network's.
        compiled: whether to use torch.compile on a GPU, which pays off after some minutes.
    """

    name: str
    description: str
    float_share: float = 1.0
    masked_share: float = 3.5
    chosen_share: float = 1.1
    batch: int = 8
    learning_rate: float = 1e-3
    final_rate: float = 0.3
    float_weight_decay: float = 1e-2
    averaging: float = 0.999
    label_loss: float = 1.0
    logit_loss: float = 1.0
    feature_loss: float = 0.0
    feature_level: int = 1
    temperature: float = 2.0
    class_weighting: float = 0.25
    logit_weighting: float = 0.0
    lovasz: float = 0.0
    teacher_flip: bool = False
    activation_stage: float = 0.3
    progressive: float = 0.0
    activation_gradient: str = 'quadratic'
    head_input: str = 'relu'
    mask_threshold: float = 0.7
    learned_thresholds: bool = False
    zoom_min: float = 0.75
    zoom_max: float = 1.6
    brightness: float = 0.15
    contrast: float = 0.25
    color: float = 0.0
    noise: float = 0.0
    rotation: float = 0.0
    classmix: float = 0.0
    cutmix: float = 0.0
    mixup: float = 0.0
    float_mixup: float = 0.0
    select_best: bool = False
    plain_statistics: bool = True
    refit_steps: int = 100
    compiled: bool = True

    def __post_init__(self) -> None:
        for key, (low, high) in RANGES.items():
            value = getattr(self, key)
            if not low <= value <= high:  # nor where it is NaN
                raise InputError(f'{key} is {value}; it must be {low:g} to {high:g}')
        for key, known in CHOICES.items():
            if getattr(self, key) not in known:
                raise InputError(
                    f'{key} is {getattr(self, key)!r}; it must be one of {", ".join(known)}'
                )
        if self.zoom_min > self.zoom_max:
            raise InputError(
                f'zoom_min is {self.zoom_min}, above zoom_max, which is {self.zoom_max}'
            )
        if self.activation_stage + self.progressive > 1:
            raise InputError(
                f'activation_stage is {self.activation_stage} and progressive '
                f'{self.progressive}; both are shares of the same time and must be at most 1 '
                'together'
            )
        if not self.label_loss + self.logit_loss + self.feature_loss:
            raise InputError(
                'label_loss, logit_loss and feature_loss are all 0; one must be above it'
            )

    def without_teacher(self) -> Recipe:
        """As networks are trained that learn from labels alone."""
        return dataclasses.replace(self, mixup=self.float_mixup)

    def without_augmentation(self) -> Recipe:
        """With frames as they are, or mirrored."""
        return dataclasses.replace(self, zoom_min=1.0, zoom_max=1.0, **dict.fromkeys(CHANGES, 0.0))

    def with_values(self, assignments: Iterable[str]) -> Recipe:
        """This recipe with some values changed.

        Args:
            assignments: 'key=value' each.

        Raises:
            InputError: a key is unknown, a value is not of its type, or out of its range.
        """
        kinds = {key: type(value) for key, value in vars(self).items()}
        changes: dict[str, Any] = {}
        for text in assignments:
            key, separator, value = text.partition('=')
            if not separator or key not in kinds or key in ('name', 'description'):
                raise InputError(
                    f'{text!r} is no setting of a recipe; write KEY=VALUE with one of the keys '
                    f'{", ".join(k for k in kinds if k not in ("name", "description"))}'
                )
            changes[key] = _parse(key, value, kinds[key])
        return dataclasses.replace(self, **changes)

    def __str__(self) -> str:
        """Its name, and what differs from the recipe of that name."""
        base = RECIPES.get(self.name)
        changed = [
            f'{key}={value}'
            for key, value in vars(self).items()
            if base is not None and value != getattr(base, key)
        ]
        return ' '.join([self.name, *changed])


def _parse(key: str, text: str, kind: type) -> Any:
    try:
        if kind is bool:
            return {'true': True, 'false': False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError) as error:
        wanted = {int: 'a whole number', float: 'a number', bool: 'true or false'}[kind]
        low, high = RANGES.get(key, (None, None))
        span = '' if low is None else f' from {low:g} to {high:g}'
        raise InputError(f'{key} is {text!r}; it must be {wanted}{span}') from error


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe('standard', 'for real data, with half an hour or more on a GPU'),
        Recipe(
            'quick',
            'for a first result within minutes: nothing to compile, no averaging',
            float_share=0.22,
            masked_share=0.78,
            chosen_share=0.3,
            averaging=0.0,
            final_rate=0.0,
            class_weighting=0.4,
            activation_stage=1 / 3,
            compiled=False,
        ),
        Recipe(
            'patient',
            'for few frames and more time: parts of frames are pasted into each other, and '
            'students learn from teachers alone, all but their heads',
            averaging=0.9998,
            final_rate=0.1,
            label_loss=0.0,
            brightness=0.2,
            contrast=0.3,
            color=0.1,
            noise=4.0,
            classmix=0.4,
            cutmix=0.4,
            mixup=0.3,
        ),
    )
}
"""All recipes, by name; the first is the default."""
