# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The kernels in the CUDA C++ of a Jetson's toolkit, CUDA 12.6, by NVRTC's compiler.

NVRTC compiles with no toolkit, no host compiler and no GPU. These tests run where it is installed:

    pip install 'nvidia-cuda-nvrtc-cu12==12.6.*'
    pytest test/kernels/test_nvrtc.py
"""

import ctypes
import functools
import importlib.util
from pathlib import Path

import pytest

from mbu_ros.engine.cuda.architecture import target
from mbu_ros.engine.cuda.resources import parse_resources

KERNELS = Path(__file__).resolve().parents[2] / 'kernels'
SOURCES = sorted(KERNELS.glob('*.cu'))

# NVRTC comes without the standard library. What the kernels use of it, in a few lines.
INTEGERS = b"""
typedef signed char int8_t; typedef unsigned char uint8_t;
typedef short int16_t; typedef unsigned short uint16_t;
typedef int int32_t; typedef unsigned int uint32_t;
typedef long long int64_t; typedef unsigned long long uint64_t;
typedef unsigned long uintptr_t;
#define INT32_MIN (-2147483647 - 1)
#define INT32_MAX 2147483647
#define UINT32_MAX 4294967295u
"""
HEADERS = {
    b'cstdint': INTEGERS,
    b'stdint.h': INTEGERS,
    # size_t and memcpy are built in.
    b'stddef.h': b'',
    b'string.h': b'',
    b'type_traits': b"""namespace std {
template <bool, class A, class> struct conditional { using type = A; };
template <class A, class B> struct conditional<false, A, B> { using type = B; };
template <bool c, class A, class B> using conditional_t = typename conditional<c, A, B>::type;
}""",
}


class Nvrtc:
    """The calls of NVRTC that compile one program."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))

    def version(self) -> tuple[int, int]:
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        return major.value, minor.value

    def compile(self, path: Path, architecture: int) -> tuple[bytes, str]:
        """Machine code (empty where it does not compile) and what the compiler printed."""
        program = ctypes.c_void_p()
        names, texts = list(HEADERS), list(HEADERS.values())
        strings = ctypes.c_char_p * len(names)
        created = self._library.nvrtcCreateProgram(
            ctypes.byref(program),
            path.read_bytes(),
            path.name.encode(),
            len(names),
            strings(*texts),
            strings(*names),
        )
        assert created == 0
        options = [
            f'--gpu-architecture={target(architecture)}',
            f'--include-path={path.parent}',
            '--std=c++17',
            '-default-device',  # for lambdas, which nvcc takes for what they are in
            '--ptxas-options=-v',
        ]
        encoded = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        failed = self._library.nvrtcCompileProgram(program, len(options), encoded)
        log = self._text('ProgramLog', program).rstrip(b'\0').decode()
        cubin = b'' if failed else self._text('CUBIN', program)
        self._library.nvrtcDestroyProgram(ctypes.byref(program))
        return cubin, log

    def _text(self, what: str, program: ctypes.c_void_p) -> bytes:
        size = ctypes.c_size_t()
        assert getattr(self._library, f'nvrtcGet{what}Size')(program, ctypes.byref(size)) == 0
        content = ctypes.create_string_buffer(size.value)
        assert getattr(self._library, f'nvrtcGet{what}')(program, content) == 0
        return content.raw


@pytest.fixture(scope='module')
def nvrtc():
    try:
        found = importlib.util.find_spec('nvidia.cuda_nvrtc')
    except ModuleNotFoundError:
        found = None
    folders = found.submodule_search_locations if found else []
    libraries = [path for folder in folders for path in Path(folder).glob('lib/libnvrtc.so.*')]
    if not libraries:
        pytest.skip("needs NVRTC: pip install 'nvidia-cuda-nvrtc-cu12==12.6.*'")
    return Nvrtc(libraries[0])


@functools.cache
def compiled(nvrtc, path, architecture):
    return nvrtc.compile(path, architecture)


@pytest.mark.parametrize('architecture', [87, 90])
@pytest.mark.parametrize('path', SOURCES, ids=lambda path: path.stem)
def test_every_source_compiles(nvrtc, path, architecture):
    cubin, log = compiled(nvrtc, path, architecture)
    assert cubin.startswith(b'\x7fELF'), f'NVRTC {nvrtc.version()}: {log}'
    assert parse_resources(log)


@pytest.mark.parametrize('path', SOURCES, ids=lambda path: path.stem)
def test_no_spills_and_no_local_memory_on_orin(nvrtc, path):
    _, log = compiled(nvrtc, path, 87)
    kernels = parse_resources(log)
    local = {name: kernel for name, kernel in kernels.items() if kernel.local_memory}
    assert kernels and not local, f'NVRTC {nvrtc.version()}: local memory or spills: {local}'


def test_a_fault_is_noticed(nvrtc, tmp_path):
    path = tmp_path / 'fault.cu'
    path.write_text('#include <cstdint>\n__global__ void f(uint32_t *x) { x[0] = y; }\n')
    cubin, log = nvrtc.compile(path, 87)
    assert cubin == b'' and 'fault.cu(2): error: identifier "y" is undefined' in log
