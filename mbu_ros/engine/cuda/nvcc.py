# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Finds nvcc and runs it: kernel sources to cubins, several at once."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.cuda.architecture import target
from mbu_ros.engine.cuda.resources import KernelResources, parse_resources

FLAGS = ('-cubin', '-std=c++17', '-O3', '-Xptxas=-v')
"""For every source and architecture. nvcc itself adds those in NVCC_APPEND_FLAGS, such as
-lineinfo for a profiler; by default there are no line numbers, because they carry paths of the
machine that compiled."""

_FLAG_VARIABLES = ('NVCC_PREPEND_FLAGS', 'NVCC_APPEND_FLAGS')

TIMEOUT = 900
"""Seconds after which the compilation of one source is given up."""


@dataclass(frozen=True)
class Compiler:
    """An nvcc: the program, and all that `nvcc --version` prints."""

    program: str
    version: str

    @property
    def release(self) -> str:
        """Short version, such as '12.6'."""
        found = re.search(r'release ([\d.]+)', self.version)
        return found[1] if found else 'of unknown version'


@dataclass(frozen=True)
class Compilation:
    """What came of one source for one architecture.

    Attributes:
        cubin: the machine code.
        kernels: resources of each kernel in it, by name.
        log: all that the compiler printed.
    """

    cubin: bytes
    kernels: dict[str, KernelResources]
    log: str


def flags_key() -> str:
    """The flags that decide on the result, as one text; those in the environment included."""
    environment = [f'{name}={os.environ.get(name, "")}' for name in _FLAG_VARIABLES]
    return ' '.join([*FLAGS, *environment])


def find_compiler() -> Compiler:
    """The nvcc to use: NVCC, else on the PATH, in CUDA_HOME/bin, in /usr/local/cuda/bin.

    Raises:
        EngineUnavailable: there is none, or it does not run.
    """
    named = os.environ.get('NVCC')
    if named:
        program = shutil.which(named)
        if program is None:
            raise EngineUnavailable(f'NVCC is {named!r}, which is not a program')
    else:
        home = os.environ.get('CUDA_HOME')
        folders = [*([f'{home}/bin'] if home else []), '/usr/local/cuda/bin']
        program = shutil.which('nvcc') or shutil.which('nvcc', path=os.pathsep.join(folders))
        if program is None:
            raise EngineUnavailable(f'no nvcc on the PATH or in {", ".join(folders)}')
    try:
        result = subprocess.run(
            [program, '--version'],
            capture_output=True,
            text=True,
            errors='replace',
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineUnavailable(f'{program} does not run: {error}') from error
    return Compiler(program, result.stdout)


def compile_sources(
    compiler: Compiler, jobs: Iterable[tuple[Path, int]]
) -> Iterator[tuple[tuple[Path, int], Compilation | EngineUnavailable]]:
    """Compile each (source file, architecture), as many at once as there are processors.

    Gives each job with its result as it finishes: one that failed with the error, so that the
    others are not lost. Compilers that still run when the caller stops are ended.

    Raises:
        EngineUnavailable: no compiler can be started, or there is nowhere to write.
    """
    waiting = list(jobs)
    running: list[_Running] = []
    try:
        with tempfile.TemporaryDirectory(prefix='mbu_ros-') as folder:
            try:
                while waiting or running:
                    while waiting and len(running) < _processors():
                        output = Path(folder) / f'{len(waiting)}.cubin'
                        running.append(_Running(compiler, *waiting.pop(0), output))
                    finished = [job for job in running if job.finished()]
                    for job in finished:
                        running.remove(job)
                        yield (job.path, job.architecture), job.result()
                    if not finished:
                        time.sleep(0.01)
            finally:
                for job in running:
                    job.end()
    except OSError as error:
        raise EngineUnavailable(f'{compiler.program} cannot be used here: {error}') from error


class _Running:
    """One nvcc at work."""

    def __init__(self, compiler: Compiler, path: Path, architecture: int, output: Path) -> None:
        self.path = path
        self.architecture = architecture
        self._compiler = compiler
        self._output = output
        self._target = target(architecture)
        virtual = self._target.replace('sm', 'compute')
        # Not to a pipe, which the compiler's own children would keep open after its end.
        self._log = output.with_suffix('.log')
        with self._log.open('wb') as log:
            self._process = subprocess.Popen(
                [
                    compiler.program,
                    *FLAGS,
                    f'-gencode=arch={virtual},code={self._target}',
                    '-o',
                    str(output),
                    path.name,
                ],
                cwd=path.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its children can be ended with it
            )
        self._deadline = time.monotonic() + TIMEOUT

    def finished(self) -> bool:
        return self._process.poll() is not None or time.monotonic() > self._deadline

    def result(self) -> Compilation | EngineUnavailable:
        """What came of it; ends it where its time is up."""
        where = f'{self.path} for {self._target}'
        if self._process.poll() is None:
            self.end()
            return EngineUnavailable(f'{where}: given up after {TIMEOUT} s of compiling')
        log = self._log.read_text(errors='replace')
        if self._process.returncode == 0:
            cubin = self._output.read_bytes() if self._output.is_file() else b''
            if cubin.startswith(b'\x7fELF'):
                return Compilation(cubin, parse_resources(log), log)
            return EngineUnavailable(f'{where}: {self._compiler.program} wrote no machine code')
        if re.search(r'[Uu]nsupported gpu architecture|is not defined for option', log):
            return EngineUnavailable(
                f'nvcc {self._compiler.release} ({self._compiler.program}) does not know '
                f'{self._target}; install a newer CUDA toolkit if there is such a GPU'
            )
        return EngineUnavailable(f'{where} does not compile: {self._first_error(log)}')

    def end(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _first_error(self, log: str) -> str:
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        errors = [line for line in lines if re.search(r'\b(error|fatal)\b', line)]
        code = self._process.returncode
        return (errors or lines or [f'{self._compiler.program} ended with code {code}'])[0]


def _processors() -> int:
    return len(os.sched_getaffinity(0))
