# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether data and models, or two models, mean the same by the numbers in labels and masks."""

from __future__ import annotations

from mbu_ros.data.sample import ClassMap
from mbu_ros.errors import InputError


def check_classes(data: ClassMap | None, model: ClassMap) -> None:
    """Raise InputError unless data and model mean the same by each label value.

    `data` is None where the source does not name its classes.
    """
    if data is None or data.names == model.names:
        return
    raise InputError(
        f'data and model have different classes: the data {_list(data)}, the model '
        f'{_list(model)}; use a model that was trained on these classes'
    )


def check_against(model: ClassMap, other: ClassMap) -> None:
    """Raise InputError unless two models mean the same by each value of their masks."""
    if model.names != other.names:
        raise InputError(
            f'the models have different classes: --model {_list(model)}, --against '
            f'{_list(other)}; only masks of the same classes can agree'
        )


def _list(classes: ClassMap) -> str:
    return f'{len(classes)} ({", ".join(classes.names)})'
