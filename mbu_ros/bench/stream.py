# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts cameras that play generated scenes to the node, and asks them what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import numpy as np

from mbu_ros.bench.account import PATIENCE_SECONDS
from mbu_ros.data.scenes import Drive
from mbu_ros.data.sources import DEMO_SEED
from mbu_ros.errors import InputError

ANSWER_SECONDS = 30.0 + PATIENCE_SECONDS
"""For a camera to tell; in the end it waits for masks first."""
STOP_SECONDS = 10.0
LOG_LINES = 10


def write_drive(path: Path, frames: int, height: int, width: int) -> None:
    """Render the first frames of the drive that demos show, for `StreamProcess`.

    Raises:
        InputError: scenes of this size cannot be generated, or the file cannot be written.
    """
    try:
        drive = Drive(DEMO_SEED, frames, height, width)
        np.save(path, np.stack([frame.image for frame in drive]))
    except ValueError as error:
        raise InputError(f'these scenes cannot be generated: {error}') from error
    except OSError as error:
        raise InputError(f'{path}: cannot be written: {error.strerror or error}') from error


class StreamProcess:
    """A `stream_node` in a process of its own; as a context manager, it is stopped in the end.

    Args:
        frames: file made by `write_drive`.
        rate: in Hz; 0 sends each frame when the mask of the one before is there.
        namespace: of its topics.
        node: full name, without the slash, of the node whose diagnostics it reads.
        camera: that node's name of this camera.
        log: file for what it logs.
    """

    def __init__(
        self, frames: Path, rate: float, namespace: str, node: str, camera: str, log: Path
    ) -> None:
        self._log = log
        parameters = {'frames': str(frames), 'rate': rate, 'node': node, 'camera': camera}
        arguments = ['--ros-args', '-r', f'__ns:={namespace}']
        for name, value in parameters.items():
            # ROS reads values as YAML, where JSON's quotes keep a path a path, whatever it is.
            arguments += ['-p', f'{name}:={json.dumps(value)}']
        with open(log, 'wb') as errors:
            self._process = subprocess.Popen(
                [sys.executable, '-m', 'mbu_ros.bench.stream_node', *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=dict(os.environ, PYTHONUNBUFFERED='1'),
            )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_ready(self, timeout: float, check: Callable[[], None]) -> None:
        """Wait until the node is there.

        Args:
            check: called again and again; what it raises ends the waiting.

        Raises:
            InputError: it did not come in time, or the camera ended.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            check()
            try:
                self._lines.get(timeout=0.1)
                return
            except queue.Empty:
                self._check()
        raise InputError(f'no node answered the camera in {timeout:.0f} s')

    def go(self) -> None:
        """Begin to send."""
        self._write('go')

    def tell(self) -> dict:
        """What happened since the last call; see `stream_node.StreamCamera.tell`.

        Raises:
            InputError: the camera ended, or does not answer.
        """
        self._write('tell')
        return self._answer()

    def stop(self) -> None:
        """Send no more."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def finish(self) -> dict:
        """What happened since the last call, once all masks are there or given up; sends no more.

        Raises:
            InputError: as `tell`.
        """
        self.stop()
        return self._answer()

    def __enter__(self) -> StreamProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()  # of no consequence for one that has finished
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self.stop()
        self._process.stdout.close()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)

    def _write(self, word: str) -> None:
        try:
            self._process.stdin.write(f'{word}\n')
            self._process.stdin.flush()
        except BrokenPipeError:
            self._check()

    def _answer(self) -> dict:
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            try:
                return json.loads(self._lines.get(timeout=0.2))
            except queue.Empty:
                self._check()
        raise InputError(f'the camera did not answer in {ANSWER_SECONDS:.0f} s')

    def _check(self) -> None:
        code = self._process.poll()
        if code is None:
            return
        self._reader.join()  # it may have answered before it ended
        if self._lines.empty():
            lines = self._log.read_text(encoding='utf-8', errors='replace').splitlines()
            shown = '\n'.join(f'    {line}' for line in lines[-LOG_LINES:]) or '    (nothing)'
            raise InputError(f'the camera ended with exit code {code}; it wrote:\n{shown}')
