# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node in a process of its own, for a benchmark: its log, its CPU time and memory, its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from mbu_ros.errors import InputError
from mbu_ros.exit_code import describe_exit

STOP_SECONDS = 10.0
LOG_LINES = 10
"""Of the end of a log that are shown when its node fails."""


class RosProcess:
    """Runs a module as a node; as a context manager, it is stopped in the end.

    Args:
        module: to be run.
        namespace: of the node.
        parameters: of the node.
        log: file for what it writes.
    """

    def __init__(
        self, module: str, namespace: str, parameters: Mapping[str, object], log: Path
    ) -> None:
        self._log = log
        arguments = ['--ros-args', '-r', f'__ns:={namespace}']
        for name, value in parameters.items():
            # ROS reads values as YAML, where JSON's quotes keep a path a path, whatever it is.
            arguments += ['-p', f'{name}:={json.dumps(value)}']
        with open(log, 'wb') as output:
            self._process = subprocess.Popen(
                [sys.executable, '-m', module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(os.environ, PYTHONUNBUFFERED='1'),
            )

    def check(self) -> None:
        """Raise InputError, with what it wrote last, if it has ended."""
        code = self._process.poll()
        if code is not None:
            raise InputError(f'the node {describe_exit(code)}; {self.last_words}')

    @property
    def output(self) -> str:
        """What it has written."""
        return self._log.read_text(encoding='utf-8', errors='replace')

    @property
    def last_words(self) -> str:
        """The end of that, to be put behind an error."""
        lines = self.output.splitlines()[-LOG_LINES:]
        return 'it wrote:\n' + ('\n'.join(f'    {line}' for line in lines) or '    (nothing)')

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def cpu_seconds(self) -> float | None:
        """CPU time that all its threads have taken; None where the system does not tell."""
        try:
            text = Path(f'/proc/{self._process.pid}/stat').read_text(encoding='ascii')
        except OSError:
            return None
        # Behind the command, which may hold anything: user and system time are fields 14 and 15.
        fields = text.rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def memory_bytes(self) -> int | None:
        """Memory of the machine that it holds now; None where the system does not tell."""
        try:
            text = Path(f'/proc/{self._process.pid}/statm').read_text(encoding='ascii')
        except OSError:
            return None
        fields = text.split()  # all 0 of a process that has ended; the second is resident pages
        return int(fields[1]) * os.sysconf('SC_PAGE_SIZE') or None

    def __enter__(self) -> RosProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
