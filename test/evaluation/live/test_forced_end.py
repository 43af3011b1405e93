# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import signal
import subprocess
import sys
import time

import pytest

HANGING = """
import sys, time
from mbu_ros.evaluation.live.forced_end import end_by_force
end_by_force('program', float(sys.argv[1]))
print('ready', flush=True)
def stuck():
    while True:
        try:
            time.sleep(100)
        except KeyboardInterrupt:
            pass
stuck()
"""
ENDING = HANGING.replace('pass', 'sys.exit(7)')


def start(code, seconds):
    process = subprocess.Popen(
        [sys.executable, '-c', code, str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == 'ready\n'
    return process


@pytest.mark.parametrize('signals', [1, 3])
def test_what_hangs_is_ended_and_says_where(signals):
    process = start(HANGING, 0.5)
    for _ in range(signals):
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.startswith('program: hangs, 0.5 s after it was asked to end')
    assert 'in stuck' in error


def test_what_ends_by_itself_is_left_alone():
    process = start(ENDING, 30)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 7 and not error


def test_without_a_signal_nothing_happens():
    process = start(HANGING, 0.1)
    time.sleep(0.5)
    assert process.poll() is None
    process.kill()
    process.communicate()
