# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Limits and the exit code that follows from them."""

import math

import pytest

from mbu_ros.errors import InputError
from mbu_ros.evaluation.report.thresholds import EXIT_CODE, Thresholds, exit_code

REPORT = {
    'miou': 0.7,
    'latency_ms': {'p95': 40.0},
    'frames_in': 200,
    'frames_dropped': 2,
}


def passed(report, **limits):
    (entry,) = Thresholds(**limits).check(report)
    return entry['passed']


@pytest.mark.parametrize(
    'name, kept, missed',
    [('min_miou', 0.7, 0.71), ('max_p95_ms', 40.0, 39.9), ('max_drop', 0.01, 0.009)],
)
def test_a_value_at_its_limit_keeps_it(name, kept, missed):
    assert passed(REPORT, **{name: kept})
    assert not passed(REPORT, **{name: missed})


def test_entries_say_limit_and_value():
    assert Thresholds(max_drop=0.0).check(REPORT) == [
        {'name': 'max_drop', 'limit': 0.0, 'value': 0.01, 'passed': False}
    ]


def test_no_limit_no_entry():
    assert Thresholds().check(REPORT) == []


@pytest.mark.parametrize(
    'limits, report',
    [
        ({'min_miou': 0.0}, {**REPORT, 'miou': None}),
        ({'max_p95_ms': 1e9}, {**REPORT, 'latency_ms': {'p95': None}}),
        ({'max_drop': 1.0}, {**REPORT, 'frames_in': 0, 'frames_dropped': 0}),
    ],
)
def test_what_is_undefined_has_not_passed(limits, report):
    assert not passed(report, **limits)


def test_one_miss_decides_the_exit_code():
    limits = Thresholds(min_miou=0.5, max_p95_ms=30.0)
    assert exit_code({'thresholds': limits.check(REPORT)}) == EXIT_CODE == 3
    assert exit_code({'thresholds': Thresholds(min_miou=0.5).check(REPORT)}) == 0
    assert exit_code({'thresholds': []}) == 0


@pytest.mark.parametrize(
    'limits, message',
    [
        ({'min_miou': 1.5}, '--min-miou is 1.5; it must be 0 to 1'),
        ({'max_drop': -0.1}, '--max-drop'),
        ({'max_drop': 5.0}, '--max-drop'),
        ({'max_p95_ms': -1.0}, 'milliseconds'),
        ({'max_p95_ms': math.inf}, 'milliseconds'),
        ({'min_miou': math.nan}, '--min-miou is nan'),
    ],
)
def test_limits_that_mean_nothing_are_refused(limits, message):
    with pytest.raises(InputError, match=message):
        Thresholds(**limits)
