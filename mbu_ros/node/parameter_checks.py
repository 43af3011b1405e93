# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Refuses values of parameters that types and ranges alone cannot, and says why."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from mbu_ros.errors import InputError
from mbu_ros.model.digest import DIGEST
from mbu_ros.node.parameter_table import CONFIGURE, NODE, PARAMETERS, Entry

CAMERA = re.compile('[a-z][a-z0-9_]*')


class Checks:
    """A callback for `Node.add_on_set_parameters_callback`; see `declaring.declare`."""

    def __init__(
        self,
        node: Node,
        check_model: Callable[[str, str], object],
        is_unconfigured: Callable[[], bool],
    ) -> None:
        self._node = node
        self._check_model = check_model
        self._is_unconfigured = is_unconfigured
        self._entries = {entry.name: entry for entry in PARAMETERS}
        self._inherits: dict[str, object] = {}
        self._own = False

    def add_camera_parameter(self, name: str, entry: Entry) -> None:
        """Check a parameter of a camera, too, as the one of the node it precedes."""
        self._entries[name] = entry
        self._inherits[name] = entry.inherits

    def set_own(self, *parameters: Parameter) -> None:
        """Set parameters with no further question, as only the node itself may."""
        self._own = True
        try:
            self._node.set_parameters(parameters)
        finally:
            self._own = False

    def __call__(self, parameters: list[Parameter]) -> SetParametersResult:
        """Whether these may be set together, and if not, why."""
        try:
            if not self._own:
                for parameter in parameters:
                    self._check(parameter)
                self._check_change_of_model({p.name: p.value for p in parameters})
        except InputError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _check(self, parameter: Parameter) -> None:
        name, value = parameter.name, parameter.value
        entry = self._entries.get(name)
        if entry is None or (value is None and entry.changed == NODE):
            return
        if value is None:  # of an empty array, which has no type
            raise InputError(f'{name} has no value; leave it out for {entry.default}')
        changes = self._node.has_parameter(name)
        if entry.changed == NODE:
            raise InputError(f'{name} cannot be set: it follows the model')
        if entry.changed == CONFIGURE and changes and not self._is_unconfigured():
            raise InputError(
                f'{name} can be changed only while the node is unconfigured: deactivate it and '
                'clean it up first, with ros2 lifecycle set'
            )
        if name in self._inherits and value == self._inherits[name]:
            return
        if isinstance(value, float):
            # -1.0 stands for the node's value, what lies between is no value at all.
            if not math.isfinite(value) or value < entry.low:
                raise InputError(f'{name} out of range: {value:g}, less than {entry.low:g}')
        elif isinstance(value, int) and not isinstance(value, bool) and value < entry.low:
            raise InputError(f'{name} out of range: {value}, less than {entry.low}')
        elif entry.choices:
            for text in [value] if isinstance(value, str) else value:
                if text not in entry.choices:
                    raise InputError(
                        f'{name} must be one of {", ".join(entry.choices)}, not {text!r}'
                    )
        if name == 'cameras':
            _check_cameras(value)
        elif name == 'model_sha256' and value and not DIGEST.fullmatch(value):
            raise InputError(
                f'{name}: {value!r} is no SHA-256: 64 hexadecimal digits, as sha256sum prints '
                "them, or '' for any file"
            )

    def _check_change_of_model(self, values: dict[str, Any]) -> None:
        """Judge a model with the digest set together with it, or else the one that holds."""
        if 'model' in values and self._node.has_parameter('model_sha256'):
            given = values.get('model_sha256')
            sha256 = self._node.get_parameter('model_sha256').value if given is None else given
            self._check_model(values['model'], sha256)


def _check_cameras(names: list[str]) -> None:
    """Raise InputError unless topics and parameters can be named after these."""
    if names == ['']:
        return
    for name in names:
        if not CAMERA.fullmatch(name):
            raise InputError(
                f'cameras: {name!r} is no name of a camera: lower-case letters, digits and _ '
                "after a letter, or [''] for one camera without a name"
            )
    if not names or len(set(names)) < len(names):
        raise InputError(f'cameras must name each camera once, not {names}')
