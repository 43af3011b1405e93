# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs parts in several processes, none of which outlives the one that started them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from ctypes import Array, c_int64
from multiprocessing.sharedctypes import RawArray

import cv2

from mbu_ros.evaluation.part_run import PartRunner, PartSettings
from mbu_ros.evaluation.parts import Part
from mbu_ros.evaluation.parts_folder import PartsFolder

POLL_SECONDS = 0.2
"""How often progress is told."""


class WorkerError(RuntimeError):
    """A process ended before its time; the text says what may be the cause."""


def run_in_processes(
    parts: Sequence[tuple[int, Part]],
    settings: PartSettings,
    folder: PartsFolder,
    jobs: int,
    tell: Callable[[int], None],
) -> None:
    """Run parts in `jobs` processes; results go into the folder.

    Args:
        parts: the parts with their numbers.
        settings: for each process.
        folder: for the results.
        jobs: number of processes.
        tell: called now and then with the number of frames done.

    Raises:
        InputError, EngineUnavailable, EngineError: what a part raised.
        WorkerError: a process was killed.
    """
    # Not forked: threads of OpenCV and of the engines would not survive it.
    context = multiprocessing.get_context('spawn')
    frames = RawArray(c_int64, len(parts))
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_start, initargs=(settings, folder, frames)
    )
    try:
        with _deaf_to_ctrl_c():
            futures = [
                pool.submit(_run, slot, index, part) for slot, (index, part) in enumerate(parts)
            ]
        _await(futures, lambda: tell(sum(frames)))
    except BrokenProcessPool as error:
        raise WorkerError(
            'a process of the evaluation ended before its time; if memory is short, run fewer with '
            '--jobs (what is done is kept in --report, from where --resume goes on)'
        ) from error
    except BaseException:
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _await(futures: Sequence[Future[None]], tell: Callable[[], None]) -> None:
    pending = set(futures)
    while pending:
        done, pending = wait(pending, POLL_SECONDS, return_when=FIRST_EXCEPTION)
        tell()
        for future in done:
            future.result()  # raises what the part raised


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started meanwhile never hear a Ctrl-C: it is for their parent to end them.

    The parent hears one that comes meanwhile afterwards.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


class _Worker:
    """What a process keeps from one part to the next."""

    settings: PartSettings
    folder: PartsFolder
    frames: Array[c_int64]
    runner: PartRunner | None = None


def _start(settings: PartSettings, folder: PartsFolder, frames: Array[c_int64]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.basicConfig(format='mbu: %(message)s')
    cv2.setNumThreads(1)
    _Worker.settings, _Worker.folder, _Worker.frames = settings, folder, frames


def _end_with_parent() -> None:
    # A parent that was killed cannot end its children.
    parent = multiprocessing.parent_process()
    assert parent is not None  # of a process that was spawned
    parent.join()
    os._exit(1)


def _run(slot: int, index: int, part: Part) -> None:
    def advance() -> None:
        _Worker.frames[slot] += 1

    if _Worker.runner is None:  # not earlier: here, what goes wrong reaches the parent
        _Worker.runner = PartRunner(_Worker.settings)
    _Worker.folder.put(index, *_Worker.runner.run(part, advance))
