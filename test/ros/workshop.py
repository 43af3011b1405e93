# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Engines that fail as told, and the node run in the test's own process with them."""

import contextlib
import threading
import time

import numpy as np

from mbu_ros.engine.base import STAGES, Memory, RawFrame, Segmentation
from mbu_ros.model.random import random_model

MODEL = random_model(width=8, depth=1, input_size=(32, 48))
FRAME = RawFrame(bytes(1800), 20, 30, 90, 'rgb8')


class FakeEngine:
    architecture = 'sm_0'

    def __init__(self, shop, name, model):
        self.max_batch = 1 if name == 'reference' else 4
        self.shop = shop
        self.name = name
        self.device = f'{name} device'
        self.model = model

    def segment(self, frames, *, confidence=False):
        return self.shop.segment(self, frames, confidence)

    def memory(self):
        return Memory(1_500_000, 2_000_000, 8_000_000)

    def close(self):
        self.shop.close(self)


class Workshop:
    """Makes engines and knows what became of them. Use it as `create_engine`, and as a logger.

    The masks of an engine are full of its model's number of classes.

    Attributes:
        faults: what the next frames raise, one by one; None for a good frame.
        refusals: what the next attempts to make an engine raise.
        asked: names that it was asked for, one by one.
        kinds: names of the engines to make, the last one again and again.
        making, working: seconds that making an engine and a frame take.
    """

    def __init__(self, *kinds):
        self.kinds = list(kinds or ['fake'])
        self.faults, self.refusals, self.lines, self.asked = [], [], [], []
        self.made, self.closed, self.threads = [], [], set()
        self.now = 100.0
        self.making = self.working = 0.0

    def create(self, name='', model=MODEL):
        time.sleep(self.making)
        self.asked.append(name)
        if self.refusals:
            raise self.refusals.pop(0)
        kind = self.kinds.pop(0) if len(self.kinds) > 1 else self.kinds[0]
        engine = FakeEngine(self, kind, model)
        self.made.append(engine)
        self.threads.add(threading.get_ident())
        return engine, f'{kind} was there'

    def segment(self, engine, frames, confidence):
        self.threads.add(threading.get_ident())
        assert engine not in self.closed
        time.sleep(self.working)
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        label = len(engine.model.classes)
        sizes = [(f.height, f.width) if isinstance(f, RawFrame) else f.shape[:2] for f in frames]
        return [
            Segmentation(
                np.full(size, label, np.uint8),
                np.ones(size, np.float32) if confidence else None,
                dict.fromkeys(STAGES, 1.0),
            )
            for size in sizes
        ]

    def close(self, engine):
        self.threads.add(threading.get_ident())
        self.closed.append(engine)

    def info(self, text):
        self.lines.append(text)

    error = warning = info


@contextlib.contextmanager
def spinning(node):
    """Run a node's callbacks in a thread, and destroy the node in the end."""
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.task import Future

    executor, stop = SingleThreadedExecutor(), Future()
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin_until_future_complete, args=(stop,))
    thread.start()
    try:
        yield node
    finally:
        stop.set_result(None)
        thread.join()
        node.destroy_node()


def make_node(name, parameters):
    """The segment node under a name of its own.

    rclpy leaves the services of a managed node behind; other tests must not meet them.
    """
    from rclpy.parameter import Parameter

    from mbu_ros.node.segment_node import SegmentNode

    overrides = [Parameter(key, value=value) for key, value in parameters.items()]
    return SegmentNode(name, parameter_overrides=overrides)
