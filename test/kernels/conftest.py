# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of kernel sources of the test's own, and an nvcc that only pretends."""

import sys
from pathlib import Path

import pytest

from mbu_ros import share

FAKE_NVCC = """#!{python}
import os, sys, time
from pathlib import Path
here = Path(__file__).parent
if sys.argv[1:] == ['--version']:
    print((here / 'version').read_text())
    sys.exit()
source = Path(sys.argv[-1])
with (here / 'calls').open('a') as calls:
    calls.write(f'{{source.stem}}\\n')
text = source.read_text()
if 'SLOW' in text:
    (here / 'pid').write_text(str(os.getpid()))
    time.sleep(600)
if 'BROKEN' in text:
    print('an unimportant line')
    sys.exit(f'{{source.name}}(7): error: identifier "y" is undefined\\n1 error detected')
if 'EMPTY' in text:
    sys.exit()
Path(sys.argv[sys.argv.index('-o') + 1]).write_bytes(
    b'\\x7fELF' + repr([text, (here / 'version').read_text(), sys.argv[-4]]).encode()
)
print("ptxas info    : Compiling entry function 'add' for 'sm_87'")
print('    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads')
print('ptxas info    : Used 16 registers, used 0 barriers, 376 bytes cmem[0]')
"""


class FakeCompiler:
    """What the pretended nvcc was asked for, and what it says it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / 'nvcc'
        self.program.write_text(FAKE_NVCC.format(python=sys.executable))
        self.program.chmod(0o755)
        self.release('12.6')

    def release(self, number: str) -> None:
        (self.folder / 'version').write_text(f'Cuda compilation tools, release {number}, V{number}')

    @property
    def calls(self) -> list[str]:
        path = self.folder / 'calls'
        return sorted(path.read_text().split()) if path.exists() else []


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """An installation's share folder with the kernel sources one.cu and two.cu, nothing cached."""
    folder = tmp_path / 'share'
    (folder / 'kernels').mkdir(parents=True)
    (folder / 'kernels' / 'one.cu').write_text('#include "both.cuh"\n// one\n')
    (folder / 'kernels' / 'two.cu').write_text('// two\n')
    (folder / 'kernels' / 'both.cuh').write_text('  #  include "deep.cuh"\n')
    (folder / 'kernels' / 'deep.cuh').write_text('#include "both.cuh"\n// deep\n')
    monkeypatch.setattr(share, '_candidates', lambda: iter([folder]))
    monkeypatch.setenv('MBU_ROS_CACHE', str(tmp_path / 'cache'))
    return folder


@pytest.fixture
def nvcc(tmp_path, monkeypatch):
    """A pretended nvcc, which is the one found."""
    folder = tmp_path / 'nvcc'
    folder.mkdir()
    compiler = FakeCompiler(folder)
    monkeypatch.setenv('NVCC', str(compiler.program))
    return compiler


@pytest.fixture
def no_nvcc(monkeypatch):
    """A machine without nvcc."""
    monkeypatch.setenv('NVCC', 'no-such-nvcc')
