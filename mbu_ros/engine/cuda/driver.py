# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The way to the GPU through PyCUDA: imported when it is needed, and in words what is missing."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from mbu_ros.engine.base import EngineUnavailable


def load_driver() -> ModuleType:
    """The module pycuda.driver, initialised.

    Raises:
        EngineUnavailable: PyCUDA or the driver is missing, or they do not fit each other.
    """
    try:
        driver = importlib.import_module('pycuda.driver')
    except ModuleNotFoundError as error:
        raise EngineUnavailable(
            f'PyCUDA is not installed ({error}); pip install pycuda cuda-bindings'
        ) from error
    except ImportError as error:
        if 'libcuda' in str(error):
            raise EngineUnavailable(
                f'no NVIDIA driver is installed ({error}); install one, and in a container give it '
                'the GPU (--gpus all, on a Jetson --runtime nvidia)'
            ) from error
        raise EngineUnavailable(
            f'PyCUDA does not fit this machine ({error}); install it again for this driver and '
            'NumPy: pip install --force-reinstall --no-binary pycuda pycuda'
        ) from error
    try:
        driver.init()
    except driver.Error as error:
        raise EngineUnavailable(
            f'the NVIDIA driver finds no GPU to use ({error}); see what nvidia-smi says, and '
            'whether CUDA_VISIBLE_DEVICES hides it'
        ) from error
    return driver


def find_gpu(driver: ModuleType, index: int = 0) -> Any:
    """The pycuda.driver.Device of this index.

    Raises:
        EngineUnavailable: there is none.
    """
    count: int = driver.Device.count()
    if count == 0:
        raise EngineUnavailable('the NVIDIA driver lists no GPU; see what nvidia-smi says')
    if not 0 <= index < count:
        raise EngineUnavailable(f'there is no GPU {index}; this machine has 0 to {count - 1}')
    return driver.Device(index)


def bus_id(index: int = 0) -> str:
    """Where the GPU of this index is on the PCI bus, such as '0000:41:00.0'; needs no context.

    By it NVML finds the same GPU: it counts GPUs in its own order, the hidden ones too.

    Raises:
        EngineUnavailable: PyCUDA, the driver or the GPU is missing.
    """
    return str(find_gpu(load_driver(), index).pci_bus_id())


def architecture_of(gpu: Any) -> int:
    """Compute capability times ten of a pycuda.driver.Device, such as 87."""
    major, minor = gpu.compute_capability()
    return int(10 * major + minor)


def present_architectures() -> list[int]:
    """Architectures of this machine's GPUs, each once, such as [87]; needs no context.

    Raises:
        EngineUnavailable: PyCUDA, the driver or a GPU is missing.
    """
    driver = load_driver()
    first = architecture_of(find_gpu(driver))
    others = range(1, driver.Device.count())
    return sorted({first, *(architecture_of(driver.Device(index)) for index in others)})
