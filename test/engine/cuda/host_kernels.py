# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Kernels as plain C++ on the CPU, so that launches can be tested where there is no GPU.

For kernels whose threads do not talk to each other. g++ compiles the very sources that nvcc does.
"""

import ctypes
import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from mbu_ros.engine.cuda.launch import Buffer, Constant

HERE = Path(__file__).parent
KERNELS = HERE.parents[2] / 'kernels'
COMPILER = shutil.which('g++')
# Undefined behaviour (a misaligned vector, a sum beyond an int) is an illegal instruction, of which
# pytest says in which test it was.
FLAGS = [
    *('-std=c++17', '-O1', '-shared', '-fPIC'),
    *('-fsanitize=undefined', '-fsanitize-undefined-trap-on-error'),
]


@functools.cache
def _library(source):
    """The kernels of kernels/<source>.cu, compiled, as a ctypes library."""
    path = KERNELS / f'{source}.cu'
    with tempfile.TemporaryDirectory() as folder:
        names = subprocess.run(
            ['g++', '-E', '-P', '-std=c++17', '-x', 'c++', path],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        names = re.findall(r'__global__ void (\w+)\(', names)
        program = Path(folder, 'program.cpp')
        exports = '\n'.join(f'EXPORT({name})' for name in names)
        program.write_text(f'#include "host_cuda.h"\n#include "{path}"\n{exports}\n')
        library = Path(folder, 'library.so')
        subprocess.run(['g++', *FLAGS, f'-I{HERE}', program, '-o', library], check=True)
        return ctypes.CDLL(str(library))


def run_launches(launches, constants, buffers):
    """Run launches one after the other on the CPU.

    Args:
        launches: of `mbu_ros.engine.cuda.launch`.
        constants: arrays by name.
        buffers: by name an array, or a number of bytes: then it starts as 0xA5 in every byte.

    Returns:
        The buffers as they are in the end; those given by size as uint8 arrays.
    """
    buffers = {name: _aligned(content) for name, content in buffers.items()}
    constants = {name: _aligned(content) for name, content in constants.items()}
    for launch in launches:
        values = []
        for argument in launch.arguments:
            if isinstance(argument, (Buffer, Constant)):
                arrays = buffers if isinstance(argument, Buffer) else constants
                values.append(ctypes.c_void_p(arrays[argument.name].ctypes.data))
            else:
                values.append(
                    (ctypes.c_float if isinstance(argument, float) else ctypes.c_int)(argument)
                )
        assert launch.grid[2] == launch.block[2] == 1 and not launch.shared_bytes
        sizes = (ctypes.c_uint * 4)(*launch.grid[:2], *launch.block[:2])
        pointers = [ctypes.cast(ctypes.byref(value), ctypes.c_void_p) for value in values]
        kernel = getattr(_library(launch.source), f'launch_{launch.kernel}')
        failed = kernel(sizes, (ctypes.c_void_p * len(values))(*pointers), len(values))
        assert not failed, f'{launch.kernel} does not take {len(values)} arguments'
    return buffers


def _aligned(content):
    """A copy of an array, or 0xA5 in so many bytes, that starts where cudaMalloc could put it."""
    if isinstance(content, int):
        content = np.full(content, 0xA5, np.uint8)
    content = np.ascontiguousarray(content)
    room = np.empty(content.nbytes + 255, np.uint8)
    start = -room.ctypes.data % 256
    copy = room[start : start + content.nbytes].view(content.dtype).reshape(content.shape)
    copy[...] = content
    return copy
