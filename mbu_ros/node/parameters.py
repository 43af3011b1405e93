# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's parameters as its parts read them; what there is stands in `parameter_table`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rclpy.node import Node

from mbu_ros.node.assessment import Limits
from mbu_ros.node.parameter_table import PARAMETERS


@dataclass(frozen=True)
class CameraSettings:
    """Parameters of one camera that hold from configuring to cleaning up.

    Attributes:
        name: '' for the one camera without a name.
        transport: 'raw' or 'compressed'.
        mask_size: 'camera' or 'network'.
        reliability: 'best_effort', 'reliable' or 'publisher'.
        queue_depth: of its subscription.
    """

    name: str = ''
    transport: str = 'raw'
    mask_size: str = 'camera'
    reliability: str = 'best_effort'
    queue_depth: int = 5


@dataclass(frozen=True)
class Settings:
    """Parameters that are read when the node is configured; see `parameter_table`."""

    model: str
    engine: str
    cameras: tuple[CameraSettings, ...]
    model_sha256: str = ''
    retry_seconds: float = 0.0
    confidence_encoding: str = 'mono8'


class Live:
    """Parameters that may change at any time, as they are now. For any thread.

    Args:
        node: a node on which `declare` was called.
    """

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def overlay_alpha(self) -> float:
        """Weight of the class colours, 0 to 1."""
        return self._node.get_parameter('overlay_alpha').value

    @property
    def confidence_threshold(self) -> float:
        """Below it a pixel becomes 255; 0 to 1, 0: off."""
        return self._node.get_parameter('confidence_threshold').value

    @property
    def model_sha256(self) -> str:
        """Digest that a model's file must have when it is read; '' where it may have any."""
        return self._node.get_parameter('model_sha256').value

    def max_rate(self, camera: str) -> float:
        """Frames a second at most of the camera of this name ('' without one), 0: no limit."""
        return _of_camera(self._node, camera, 'max_rate')

    def outputs(self, camera: str) -> tuple[str, ...]:
        """Topics, of `parameter_table.OUTPUTS`, that may be published."""
        return tuple(_of_camera(self._node, camera, 'outputs'))

    def limits(self, camera: str) -> Limits:
        """What the camera is judged by."""
        names = Limits.__dataclass_fields__
        return Limits(
            **{name: _of_camera(self._node, camera, f'limits.{name}') for name in names}
        )


def read_settings(node: Node) -> Settings:
    """The parameters that are needed to configure, as they are now."""
    names = CameraSettings.__dataclass_fields__.keys() - {'name'}
    cameras = tuple(
        CameraSettings(camera, **{name: _of_camera(node, camera, name) for name in names})
        for camera in node.get_parameter('cameras').value
    )
    names = Settings.__dataclass_fields__.keys() - {'cameras'}
    return Settings(
        cameras=cameras, **{name: node.get_parameter(name).value for name in names}
    )


_INHERITS = {entry.name: entry.inherits for entry in PARAMETERS if entry.of_camera}


def _of_camera(node: Node, camera: str, name: str) -> Any:
    """A parameter of a camera: its own where that was given, else the node's."""
    if camera:
        value = node.get_parameter(f'{camera}.{name}').value
        if value != _INHERITS[name]:
            return value
    return node.get_parameter(name).value
