# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Declares the node's parameters, and warns of those that it does not have."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from mbu_ros.node.parameter_checks import Checks
from mbu_ros.node.parameter_table import NODE, PARAMETERS, START, Entry

FOREIGN = 'qos_overrides.'
"""How names begin that rclpy itself reads, when it needs them."""
EMPTY_ARRAYS = {str: Parameter.Type.STRING_ARRAY, int: Parameter.Type.INTEGER_ARRAY}


def declare(
    node: Node,
    check_model: Callable[[str, str], object] = lambda model, sha256: None,
    is_unconfigured: Callable[[], bool] = lambda: True,
) -> Checks:
    """Declare all parameters, those of the cameras too.

    Args:
        check_model: raises InputError where a model that is to be changed to cannot be used; given
            its name, and the digest that its file must have.
        is_unconfigured: whether parameters may be changed that hold while the node is configured.

    Returns:
        What judges each change of them from now on.

    Raises:
        rclpy.exceptions.ParameterException: a value given at the start is of the wrong type or out
            of range.
    """
    checks = Checks(node, check_model, is_unconfigured)
    node.add_on_set_parameters_callback(checks)
    for entry in PARAMETERS:
        if entry.changed == NODE:
            kind = EMPTY_ARRAYS[entry.element]
            node.declare_parameter(entry.name, kind, describe(entry), ignore_override=True)
            checks.set_own(Parameter(entry.name, kind, entry.default))
        else:
            node.declare_parameter(entry.name, entry.default, describe(entry))
    for camera in filter(None, node.get_parameter('cameras').value):
        for entry in PARAMETERS:
            if entry.of_camera:
                name = f'{camera}.{entry.name}'
                checks.add_camera_parameter(name, entry)
                node.declare_parameter(name, entry.inherits, describe(entry, camera))
    return checks


def describe(entry: Entry, camera: str = '') -> ParameterDescriptor:
    """What `ros2 param describe` shows of a parameter; of the camera of this name, if any."""
    description = entry.description + (f' [{entry.unit}]' if entry.unit else '')
    constraints = [f'Set {entry.changed}']
    if entry.choices:
        constraints.append(f'one of {", ".join(entry.choices)}')
    if camera:
        description = f'Camera {camera}: {description}'
        constraints.append(f'{entry.inherits!r}: as {entry.name} of the node')
    descriptor = ParameterDescriptor(
        description=description,
        additional_constraints='; '.join(constraints),
        read_only=entry.changed == START,
    )
    low = entry.inherits if camera else entry.low
    if isinstance(entry.default, float):
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=low, to_value=entry.high)
        ]
    elif entry.low is not None:
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=entry.high, step=1)]
    return descriptor


def warn_of_unknown(node: Node) -> None:
    """Log the parameters given at the start that the node does not have, which rclpy ignores."""
    # rclpy has no public way to what was given and not declared.
    given: Iterable[str] = getattr(node, '_parameter_overrides', ())
    known = list(node.get_parameters_by_prefix(''))
    own = {entry.name for entry in PARAMETERS if entry.changed == NODE}
    unknown = []
    for name in sorted(given):
        if name in own:
            node.get_logger().warning(f'{name} cannot be given: it follows the model')
        elif name not in known and not name.startswith(FOREIGN):
            close = difflib.get_close_matches(name, known, 1)
            unknown.append(name + (f' (is {close[0]} meant?)' if close else ''))
    if unknown:
        node.get_logger().warning(
            f'Parameters that this node does not have are ignored: {", ".join(unknown)}'
        )
