# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium for tests, spoken to over its DevTools pipe: no driver, no open port."""

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
ARGUMENTS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'),
    *('--disable-background-networking', '--disable-component-update', '--disable-sync'),
    *('--disable-dev-shm-usage', '--hide-scrollbars', '--remote-debugging-pipe', 'about:blank'),
)
PATIENCE = 60.0
"""Seconds for any answer; the machine may be busy with other tests."""


def find_browser():
    """Path of a Chromium; None without one."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Tab:
    """One page of the browser.

    Attributes:
        requests: every address that the page asked for.
        complaints: what the console said.
    """

    def __init__(self, write, read):
        self._write, self._read, self._buffer, self._count = write, read, b'', 0
        self._session = None
        self.requests, self.complaints = [], []
        (target,) = (
            info
            for info in self.call('Target.getTargets')['targetInfos']
            if info['type'] == 'page'
        )
        options = {'targetId': target['targetId'], 'flatten': True}
        self._session = self.call('Target.attachToTarget', **options)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(f'{domain}.enable')

    def call(self, method, **parameters):
        """The answer to a command of the DevTools protocol."""
        self._count += 1
        command = {'id': self._count, 'method': method, 'params': parameters}
        if self._session:
            command['sessionId'] = self._session
        os.write(self._write, json.dumps(command).encode() + b'\0')
        message = self._until(lambda message: message.get('id') == command['id'])
        assert 'error' not in message, message
        return message['result']

    def open(self, path):
        """Load a file and wait until all of it is there."""
        self.call('Page.navigate', url=path.as_uri())
        self._until(lambda message: message.get('method') == 'Page.loadEventFired')

    def evaluate(self, expression):
        """The value of a JavaScript expression."""
        options = {'expression': expression, 'returnByValue': True, 'awaitPromise': True}
        result = self.call('Runtime.evaluate', **options)
        assert 'exceptionDetails' not in result, result
        return result['result'].get('value')

    def _until(self, wanted):
        end = time.monotonic() + PATIENCE
        while True:
            while b'\0' in self._buffer:
                first, self._buffer = self._buffer.split(b'\0', 1)
                message = json.loads(first)
                self._note(message)
                if wanted(message):
                    return message
            ready, _, _ = select.select([self._read], [], [], max(0, end - time.monotonic()))
            received = os.read(self._read, 1 << 20) if ready else b''
            assert received, 'the browser does not answer'
            self._buffer += received

    def _note(self, message):
        method, parameters = message.get('method'), message.get('params', {})
        if method == 'Network.requestWillBeSent':
            self.requests.append(parameters['request']['url'])
        elif method in ('Runtime.exceptionThrown', 'Runtime.consoleAPICalled', 'Log.entryAdded'):
            self.complaints.append(parameters)


@contextmanager
def open_tab(folder):
    """A browser with an empty profile in this folder, ended with all its processes."""
    to_browser, write = os.pipe()
    read, from_browser = os.pipe()

    def give_pipes():
        # Commands come in at 3 and answers go out at 4. Moved up first: either may be 3 or 4 now.
        ends = to_browser, from_browser
        for end, place in zip([fcntl.fcntl(e, fcntl.F_DUPFD_CLOEXEC, 10) for e in ends], (3, 4)):
            os.dup2(end, place)

    process = subprocess.Popen(
        [find_browser(), f'--user-data-dir={folder}', *ARGUMENTS],
        preexec_fn=give_pipes,
        close_fds=False,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Tab(write, read)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(write)
        os.close(read)
