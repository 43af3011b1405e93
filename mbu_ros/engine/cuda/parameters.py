# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model's parameters on the device: those that some plan reads, each once."""

from __future__ import annotations

from collections.abc import Iterable

from mbu_ros.engine.cuda.device import Device
from mbu_ros.engine.cuda.memory import Constants, lay_out
from mbu_ros.engine.cuda.network_plan import network_constant
from mbu_ros.model.deployed import Model


class Parameters:
    """Parameters by the names that `network_plan` gives them.

    The order of a layer's weights depends on how its work is shared out, and that on the batch, so
    they are brought into it and uploaded when the first plan asks for it.

    Attributes:
        addresses: device address by name.
        bytes: of device memory.
        wanted: bytes that were asked for last and did not fit; 0 where they did.
    """

    def __init__(self, device: Device, model: Model) -> None:
        self._device = device
        self._model = model
        self._parts: list[Constants] = []
        self.addresses: dict[str, int] = {}
        self.bytes = 0
        self.wanted = 0

    def require(self, names: Iterable[str]) -> None:
        """Have the parameters of these names on the device.

        Raises:
            pycuda.driver.MemoryError: the device has too little memory for them.
        """
        missing = sorted(set(names) - set(self.addresses))
        if not missing:  # as for most sessions, which must not leave an empty part each
            return
        arrays = {name: network_constant(self._model, name) for name in missing}
        self.wanted = lay_out({name: array.nbytes for name, array in arrays.items()})[1]
        part = Constants(self._device, arrays)
        self._parts.append(part)
        self.addresses |= part.addresses
        self.bytes += part.bytes
        self.wanted = 0

    def free(self) -> None:
        """Free them all. Twice is allowed."""
        while self._parts:
            self._parts.pop().free()
        self.addresses = {}
        self.bytes = 0
