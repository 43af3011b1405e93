# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lets the tests run where ROS 2's plugin for launch tests is installed, and in several workers.

Collects log lines; claims a ROS domain.
"""

import logging
import tempfile

import pytest

from mbu_ros.evaluation.live.processes import claimed_domain

from .turns import turn

TURNS = pytest.StashKey[str]()


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path, parent):
    """Keep that plugin to the launch tests.

    It would import every module of tests once more, as if it were alone in its folder, and stop at
    the first that imports its neighbours.
    """
    if module_path.name.endswith('_launch.py'):
        return None
    return pytest.Module.from_parent(parent, path=module_path)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """Tell a worker of pytest-xdist where it takes turns with the others."""
    config = node.config
    if TURNS not in config.stash:
        folder = tempfile.TemporaryDirectory(prefix='mbu_ros_turns')
        config.add_cleanup(folder.cleanup)
        config.stash[TURNS] = folder.name
    node.workerinput['turns'] = config.stash[TURNS]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    folder = getattr(item.config, 'workerinput', {}).get('turns')
    if folder is None:  # nobody else tests
        return (yield)
    with turn(folder, alone=item.get_closest_marker('alone') is not None):
        return (yield)


@pytest.fixture(scope='session')
def ros_domain():
    """From here on, a ROS domain without robots, other workers and other sessions of tests."""
    with claimed_domain() as domain, pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_DOMAIN_ID', str(domain))
        patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        yield


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
