# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Kernels whose threads talk to each other, as plain C++ on the CPU.

g++ compiles the very sources that nvcc does, but for the headers that wrap instructions: those are
replaced by the ones of this folder.
"""

import ctypes
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mbu_ros.engine.cuda.launch import Buffer, Constant

HERE = Path(__file__).parent
KERNELS = HERE.parents[3] / 'kernels'
# Fortified, longjmp refuses to change stacks; unique symbols would be shared between libraries.
# Undefined behaviour (a misaligned vector, a sum beyond an int) is an illegal instruction, of which
# pytest says in which test it was.
FLAGS = [
    *('-std=c++17', '-O2', '-march=native', '-shared', '-fPIC'),
    *('-U_FORTIFY_SOURCE', '-fno-gnu-unique'),
    *('-fsanitize=undefined', '-fsanitize-undefined-trap-on-error'),
]
UNAVAILABLE = None if shutil.which('g++') and sys.platform == 'linux' else 'needs g++ on Linux'
"""Why this cannot be used here."""
GUARD_BYTES = 4096
"""On both sides of every array, and compared afterwards."""
SOURCES = 'first_conv', 'conv3x3', 'up_conv', 'last_conv'


class EmulationError(Exception):
    """The kernel did what it must not, or its threads wait for each other."""


class Emulation:
    """Kernels compiled as for one architecture.

    Attributes:
        kernels: their names.
        seed: of the order in which warps run in the last launch; each launch has the next one.
    """

    def __init__(
        self, architecture: int, sources: tuple[str, ...] = SOURCES, folder: Path = KERNELS
    ) -> None:
        self._defines = [f'-D__CUDA_ARCH__={architecture}0']
        if architecture == 90:
            self._defines.append('-D__CUDA_ARCH_FEAT_SM90_ALL')
        self._folder = folder
        self.kernels: set[str] = set()
        self.seed = 0
        with ThreadPoolExecutor(2) as pool:
            self._libraries = dict(zip(sources, pool.map(self._compile, sources)))

    def _compile(self, source):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(KERNELS / 'features.cuh', folder)  # which has no stand-in
            for path in [*self._folder.glob('*.cu*'), *HERE.glob('*.cuh'), *HERE.glob('*.h')]:
                shutil.copy(path, folder)
            compiler = ['g++', '-std=c++17', *self._defines, '-x', 'c++']
            text = subprocess.run(
                [*compiler, '-E', '-P', '-D__launch_bounds__(...)=', '-include', 'cuda.h',
                 f'{source}.cu'],
                cwd=folder, capture_output=True, text=True, check=True,
            ).stdout
            names = re.findall(r'extern "C"\s+void\s+(\w+)\(', text)
            self.kernels |= {*names}
            exports = '\n'.join(f'EXPORT({name})' for name in names)
            Path(folder, 'program.cpp').write_text(
                f'#include "cuda.h"\n#include "{source}.cu"\n#include "block.h"\n{exports}\n'
            )
            subprocess.run(
                ['g++', *FLAGS, *self._defines, 'program.cpp', '-o', 'library.so'],
                cwd=folder, check=True,
            )
            return ctypes.CDLL(str(Path(folder, 'library.so')))

    def run_launches(self, launches, constants, buffers):
        """Run launches one after the other.

        Args:
            launches: of `mbu_ros.engine.cuda.launch`.
            constants: arrays by name.
            buffers: by name an array, or a number of bytes: then it starts as 0xA5 in every byte.

        Returns:
            The buffers as they are in the end; those given by size as uint8 arrays.

        Raises:
            EmulationError: a kernel did what it must not.
        """
        buffers = {name: _Guarded(content) for name, content in buffers.items()}
        constants = {name: _Guarded(content) for name, content in constants.items()}
        for launch in launches:
            self._launch(launch, constants, buffers)
        for name, array in [*buffers.items(), *constants.items()]:
            if not array.intact():
                raise EmulationError(f'{launch.kernel} wrote beside {name}')
        return {name: array.content for name, array in buffers.items()}

    def _launch(self, launch, constants, buffers):
        values = []
        for argument in launch.arguments:
            if isinstance(argument, (Buffer, Constant)):
                arrays = buffers if isinstance(argument, Buffer) else constants
                values.append(ctypes.c_void_p(arrays[argument.name].content.ctypes.data))
            else:
                values.append(
                    (ctypes.c_float if isinstance(argument, float) else ctypes.c_int)(argument)
                )
        assert launch.block[1:] == (1, 1)
        contents = [array.content for array in buffers.values()]
        self.seed += 1
        sizes = [*launch.grid, launch.block[0], launch.shared_bytes, self.seed, len(contents)]
        sizes += [content.nbytes for content in contents]
        pointers = [ctypes.cast(ctypes.byref(value), ctypes.c_void_p) for value in values]
        kernel = getattr(self._libraries[launch.source], f'launch_{launch.kernel}')
        kernel.restype = ctypes.c_char_p
        error = kernel(
            (ctypes.c_uint * len(sizes))(*sizes),
            (ctypes.c_void_p * len(values))(*pointers),
            len(values),
            (ctypes.c_void_p * len(contents))(*(content.ctypes.data for content in contents)),
        )
        if error:
            raise EmulationError(f'{launch.kernel} with seed {self.seed}: {error.decode()}')


class _Guarded:
    """A copy of an array, aligned as cudaMalloc does it, with guards on both sides."""

    def __init__(self, content):
        if isinstance(content, int):
            content = np.full(content, 0xA5, np.uint8)
        content = np.ascontiguousarray(content)
        room = np.full(content.nbytes + 2 * GUARD_BYTES + 256, 0x5A, np.uint8)
        start = GUARD_BYTES + -(room.ctypes.data + GUARD_BYTES) % 256
        end = start + content.nbytes
        self.content = room[start:end].view(content.dtype).reshape(content.shape)
        self.content[...] = content
        self._guards = room[:start], room[end:]

    def intact(self):
        return all((guard == 0x5A).all() for guard in self._guards)
