# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lets the tests run where ROS 2's plugin for launch tests is installed; collects log lines."""

import logging

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path, parent):
    """Keep that plugin to the launch tests.

    It would import every module of tests once more, as if it were alone in its folder, and stop at
    the first that imports its neighbours.
    """
    if module_path.name.endswith('_launch.py'):
        return None
    return pytest.Module.from_parent(parent, path=module_path)


class _Lines(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


@pytest.fixture
def log_lines():
    """Collects what a module logs: `lines = log_lines(module_name)`.

    Not caplog: where ROS 2's launch is installed, its pytest plugin makes loggers that tell
    nothing to their parents, where caplog listens.
    """
    attached = []

    def attach(name):
        handler = _Lines()
        logging.getLogger(name).addHandler(handler)
        attached.append((name, handler))
        return handler.lines

    yield attach
    for name, handler in attached:
        logging.getLogger(name).removeHandler(handler)
