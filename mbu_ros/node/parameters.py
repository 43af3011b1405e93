# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's parameters: types, defaults, ranges, and why a value is refused."""

from __future__ import annotations

from dataclasses import dataclass

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from mbu_ros.engine.select import ENGINES

RELIABILITIES = ('best_effort', 'reliable')
_CHOICES = {'engine': ENGINES, 'reliability': RELIABILITIES}


@dataclass(frozen=True)
class Settings:
    """The parameters that hold from configuring to cleaning up; see `declare` for their meaning."""

    model: str
    engine: str
    reliability: str
    queue_depth: int


def declare(node: Node) -> None:
    """Declare all parameters.

    Raises:
        rclpy.exceptions.ParameterException: a value given at the start is of the wrong type or out
            of range.
    """
    node.add_on_set_parameters_callback(_check)
    node.declare_parameter(
        'model',
        'synthetic',
        _fixed('Name of a shipped model, or path of a model file (.safetensors)'),
    )
    node.declare_parameter(
        'engine',
        'auto',
        _fixed('What runs the model; auto: CUDA where it can, else the CPU', 'engine'),
    )
    node.declare_parameter(
        'autostart',
        True,
        _fixed('Configure and activate at the start; false: wait for a lifecycle manager'),
    )
    node.declare_parameter(
        'reliability',
        'best_effort',
        _fixed(
            'QoS of the image subscription; best_effort also hears reliable publishers',
            'reliability',
        ),
    )
    node.declare_parameter(
        'queue_depth',
        5,
        _fixed(
            'Depth of the image subscription, in frames',
            integer_range=[IntegerRange(from_value=1, to_value=100, step=1)],
        ),
    )
    node.declare_parameter(
        'overlay_alpha',
        0.5,
        ParameterDescriptor(
            description='Weight of the class colours in segmentation/overlay, 0 to 1; may be '
            'changed while the node runs',
            floating_point_range=[FloatingPointRange(from_value=0.0, to_value=1.0)],
        ),
    )


def read_settings(node: Node) -> Settings:
    """The parameters that are needed to configure, as they are now."""
    return Settings(
        **{name: node.get_parameter(name).value for name in Settings.__dataclass_fields__}
    )


def _fixed(description: str, name: str = '', **more: object) -> ParameterDescriptor:
    """A parameter that can be given at the start only, of the choices for `name` if there are."""
    constraint = f'One of {", ".join(_CHOICES[name])}' if name else ''
    return ParameterDescriptor(
        description=description, additional_constraints=constraint, read_only=True, **more
    )


def _check(parameters: list[Parameter]) -> SetParametersResult:
    """Refuse what the descriptors' ranges cannot express."""
    for parameter in parameters:
        choices = _CHOICES.get(parameter.name)
        if choices and parameter.value not in choices:
            return SetParametersResult(
                successful=False,
                reason=f'{parameter.name} must be one of {", ".join(choices)}, '
                f'not {parameter.value!r}',
            )
    return SetParametersResult(successful=True)
