# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The least time a layer can take on a GPU: its operations and its bytes over the GPU's rates.

The floor is the larger of two times: operations over the Tensor Cores' rate, and the fewest bytes
(each input read once, each output written once, the parameters once) over the memory's bandwidth.
Small tensors may stay in a GPU's cache, so a layer whose larger term is bytes can run a little
faster than its floor; a layer whose larger term is operations cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mbu_ros.bench.rates import Rates
from mbu_ros.engine.base import STAGES
from mbu_ros.model.structure import FIRST, HEAD, TAPS, UP, LayerShape, layer_shapes, padded_size

RESIZE, _, MASK = STAGES
"""Names of the steps before and after the network, among the layers."""


@dataclass(frozen=True)
class Work:
    """What must be done, whoever does it.

    Attributes:
        binary_operations: on bits, two per multiply-add and plane.
        int8_operations: on bytes, two per multiply-add.
        bytes: the fewest to move to and from memory.
    """

    binary_operations: int = 0
    int8_operations: int = 0
    bytes: int = 0

    def operation_seconds(self, rates: Rates) -> float:
        """Time of its operations at a GPU's rates."""
        return self.binary_operations / rates.binary + self.int8_operations / rates.int8

    def byte_seconds(self, rates: Rates) -> float:
        """Time of its bytes at a GPU's bandwidth."""
        return self.bytes / rates.bandwidth

    def floor_seconds(self, rates: Rates) -> float:
        """The larger of the two times."""
        return max(self.operation_seconds(rates), self.byte_seconds(rates))

    def bound(self, rates: Rates) -> str:
        """Which of the two it is: 'operations' or 'bytes'."""
        more = self.operation_seconds(rates) >= self.byte_seconds(rates)
        return 'operations' if more else 'bytes'


@dataclass(frozen=True)
class Network:
    """The network whose work is counted, for one batch of frames.

    Attributes:
        width, depth, classes: as in `model.structure.layer_shapes`.
        plan: planes, 1 or 2, per binary layer.
        size: (height, width) of a frame and of the network's input, in pixels.
        batch: number of frames.
    """

    width: int
    depth: int
    classes: int
    plan: Mapping[str, int]
    size: tuple[int, int]
    batch: int

    @property
    def shapes(self) -> tuple[LayerShape, ...]:
        """Its layers in running order."""
        return layer_shapes(self.width, self.depth, self.classes)

    def work(self, name: str) -> Work:
        """Work of what launches call `name`: 'resize', 'mask', a layer, or layers joined by '+'.

        The tensors between joined layers are not moved, so their bytes do not count. Launches that
        belong to none of these have no work of their own: they only serve the way it is done.
        """
        pixels = self.batch * self.size[0] * self.size[1]
        if name == RESIZE:  # rgb8 in, as much out
            return Work(bytes=6 * pixels)
        if name == MASK:  # labels in, mask out
            return Work(bytes=2 * pixels)
        by_name = {shape.name: shape for shape in self.shapes}
        shapes = [by_name[part] for part in name.split('+') if part in by_name]
        return self._fused(shapes) if shapes else Work()

    def _fused(self, shapes: Sequence[LayerShape]) -> Work:
        height, width = padded_size(*self.size, self.depth)
        binary = int8 = parameters = 0
        for shape in shapes:
            operations = 2 * self.batch * shape.multiply_adds(height, width)
            if shape.is_binary:
                binary += operations * self.plan[shape.name]
            else:
                int8 += operations
            parameters += self._parameter_bytes(shape)
        moved = self._input_bytes(shapes[0]) + self._output_bytes(shapes[-1])
        return Work(binary, int8, parameters + moved)

    def _input_bytes(self, shape: LayerShape) -> int:
        height, width = padded_size(*self.size, self.depth)
        pixels = self.batch * (height >> shape.level) * (width >> shape.level)
        channels = sum(shape.in_channels)
        return pixels * channels if shape.kind == FIRST else pixels * channels // 8

    def _output_bytes(self, shape: LayerShape) -> int:
        if shape.kind == HEAD:  # one label a pixel
            return self.batch * self.size[0] * self.size[1]
        height, width = padded_size(*self.size, self.depth)
        pixels = self.batch * (height >> shape.level) * (width >> shape.level)
        if shape.kind == UP:
            pixels *= 4
        elif shape.is_pooled(self.depth):
            pixels += pixels // 4  # at its own size for the skip connection, and pooled
        return pixels * shape.out_channels // 8

    def _parameter_bytes(self, shape: LayerShape) -> int:
        if shape.kind == HEAD:
            return shape.weights + 4 * shape.out_channels
        thresholds = 4 * shape.out_channels * (TAPS[UP] if shape.kind == UP else 1)
        if shape.kind == FIRST:
            return shape.weights + thresholds
        return shape.weights * self.plan[shape.name] // 8 + thresholds


def timed_names(shapes: Iterable[LayerShape], launched: Iterable[str]) -> dict[str, str]:
    """Name of the work behind each launch's layer, where some layers have no launch of their own.

    Such a layer runs in the kernel of the layer before it, as the head does: 'decoder.0.conv2' then
    stands for 'decoder.0.conv2+head'.

    Args:
        shapes: layers of the network in running order.
        launched: what launches are called, each once.

    Returns:
        By launch name, a name for `Network.work`.
    """
    names = {name: name for name in launched}
    covered = {part for name in names for part in name.split('+')}
    holder = None
    for shape in shapes:
        holder = next((n for n in names if shape.name in n.split('+')), holder)
        if shape.name not in covered and holder is not None:
            names[holder] += f'+{shape.name}'
    return names
