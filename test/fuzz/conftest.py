# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the fuzz tests: a few fixed cases of each, or new ones for a given time.

`pytest test/fuzz` runs the same cases every time, in seconds. `pytest test/fuzz --fuzz-minutes 10`
(`make fuzz`) shares the time out to the targets, each with new random cases; what fails is kept in
`.hypothesis` and tried first the next time. Both tell how many cases each target was given.
"""

import os
import time

import pytest

from . import bounds

QUICK, LONG = 'quick', 'fuzz'
SHARE = pytest.StashKey[float]()


def pytest_addoption(parser):
    parser.addoption('--fuzz-minutes', type=float, help='new random cases for so many minutes')


def pytest_configure(config):
    try:
        from hypothesis import HealthCheck, settings
    except ImportError:  # the tests are skipped, each with the reason
        return
    # Slow machines and fixtures that are shared by all cases of a target are as they should be.
    health = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    health.append(HealthCheck.function_scoped_fixture)
    more = {'deadline': None, 'suppress_health_check': health}
    # The same cases everywhere: a test that fails now and then helps nobody.
    settings.register_profile(QUICK, derandomize=True, database=None, max_examples=100, **more)
    settings.register_profile(LONG, max_examples=500, **more)
    minutes = config.getoption('fuzz_minutes', None)
    settings.load_profile(LONG if minutes else QUICK)
    capture = config.pluginmanager.getplugin('capturemanager')
    with capture.global_and_fixture_disabled():
        bounds.report_hangs_to(os.dup(2))
    if minutes:
        bounds.keep_last_case(config.rootpath / '.hypothesis' / 'last_case.txt')


def pytest_collection_finish(session):
    minutes = session.config.getoption('fuzz_minutes', None)
    targets = [item for item in session.items if _is_target(item)]
    for item in targets:
        item.stash[SHARE] = 60 * minutes / len(targets) if minutes else 0.0


# The innermost, so that hypothesis's own plugin is around all of it.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item):
    bounds.LEDGER.begin(item.nodeid)
    end = time.monotonic() + item.stash.get(SHARE, 0.0)
    try:
        result = yield
        while time.monotonic() < end:
            item.runtest()
        return result
    finally:
        bounds.stop_watching()


@pytest.fixture(scope='module')
def ros(ros_domain):
    """ROS in this process, on a domain of its own; where tests of the node began it, that one."""
    rclpy = pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')
    from rclpy.signals import SignalHandlerOptions

    if rclpy.ok():
        yield rclpy
        return
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    yield rclpy
    rclpy.try_shutdown()


def pytest_terminal_summary(terminalreporter):
    lines = bounds.LEDGER.lines()
    if lines:
        terminalreporter.section('fuzz cases')
        for line in lines:
            terminalreporter.line(line)


def _is_target(item):
    function = getattr(item, 'obj', None)
    return getattr(function, 'is_hypothesis_test', False)
