# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a Python program where the disk is full, for real, and says what it left there.

Two kinds of full: `limit`, files that may not grow beyond some kilobytes (RLIMIT_FSIZE), which
every machine can do; `disk`, a file system of that size, which takes a mount namespace.
"""

import functools
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
KINDS = ('limit', 'disk')
LEFT = 'left over: '
PREPARE = {
    'disk': 'mount -t tmpfs -o size={kilobytes}k tmpfs "$0"',
    'read_only': 'mount -t tmpfs -o ro tmpfs "$0"',
}


@dataclass(frozen=True)
class Outcome:
    """How a program ended: exit code, what it wrote, and the files it left, relative."""

    code: int
    output: str
    errors: str
    left: list[str]


@functools.cache
def can_mount():
    """Whether this process may mount a file system of its own."""
    if not shutil.which('unshare'):
        return False
    command = ['unshare', '-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']
    return subprocess.run(command, capture_output=True).returncode == 0


def run_there(folder, kind, kilobytes, *arguments, **environment):
    """Run `python ARGUMENTS` with `folder` full beyond some kilobytes.

    The test is skipped where this kind is not allowed.
    """
    folder.mkdir(exist_ok=True)
    command = [sys.executable, *map(str, arguments)]
    limit = None
    if kind == 'limit':

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * kilobytes,) * 2)
    else:
        if not can_mount():
            pytest.skip('mounting a file system is not allowed here')
        script = (
            f'{PREPARE[kind].format(kilobytes=kilobytes)} && "$@"; code=$?\n'
            f'cd "$0" && find . -type f | sed "s/^/{LEFT}/"; exit $code'
        )
        command = ['unshare', '-rm', 'sh', '-c', script, str(folder), *command]
    result = subprocess.run(
        command,
        env={
            # What measures coverage would want to write as well.
            **{key: value for key, value in os.environ.items() if 'COVERAGE' not in key},
            'PYTHONPATH': str(SOURCE),
            'PYTHONDONTWRITEBYTECODE': '1',
            **environment,
        },
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    lines = result.stdout.splitlines()
    left = [line[len(LEFT) + 2 :] for line in lines if line.startswith(LEFT)]
    if kind == 'limit':
        left = [str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()]
    output = '\n'.join(line for line in lines if not line.startswith(LEFT))
    return Outcome(result.returncode, output, result.stderr, sorted(left))
