# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a node until a signal asks it to stop, and lets it finish what it is doing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future


class StopSignals:
    """SIGINT and SIGTERM from now on, noted in a pipe and otherwise without effect.

    The handlers of Python and of rclpy would raise in the middle of something, or end the ROS
    context while a message is being published. Give `SignalHandlerOptions.NO` to `rclpy.init`.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        # Written to by whichever thread a signal hits, while the main thread waits in C.
        signal.set_wakeup_fd(self._write)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)

    def wait(self) -> None:
        """Return as soon as a signal has come, also one that came before."""
        os.read(self._read, 1)

    def pretend(self) -> None:
        """Have `wait` return without a signal."""
        os.write(self._write, b'\0')


def spin_until_signal(node: Node, signals: StopSignals) -> None:
    """Run a node's callbacks in a thread of their own until a signal comes.

    Raises:
        Exception: what a callback raised, which ends the spinning too.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    stop = Future()
    try:
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix='executor') as pool:
            spinning = pool.submit(executor.spin_until_future_complete, stop)
            spinning.add_done_callback(lambda _: signals.pretend())
            signals.wait()
            stop.set_result(None)
            spinning.result()
    finally:
        # What it has of the middleware must go before the node and the context, not whenever Python
        # frees it.
        executor.shutdown()


def run_node(make: Callable[[], Node], args: list[str] | None) -> int:
    """Run a node until SIGINT or SIGTERM.

    Args:
        make: makes it.
        args: of the command line; those of the process where None.

    Returns:
        The process's exit code.
    """
    signals = StopSignals()
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node = make()
    try:
        spin_until_signal(node, signals)
        return 0
    finally:
        node.destroy_node()
        rclpy.shutdown()
