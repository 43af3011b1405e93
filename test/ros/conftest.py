# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts nodes as processes of their own and talks to them over DDS, on a domain of this session.

`start_node` starts a node's module, `peer` is a ROS node of the test itself.
"""

import signal
import subprocess
import sys
import threading
import time

import pytest

TIMEOUT = 60.0
"""Seconds after which a thing that should happen is held not to happen. Participants that were
killed hold up the discovery of others, until their lease ends after 20 s."""
ENDING_SECONDS = 10.0
"""For a node to end by itself after a test."""


def wait_until(condition, what, timeout=TIMEOUT):
    """Wait until `condition()` is true and return its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f'{what() if callable(what) else what} did not happen in {timeout} s')
        time.sleep(0.01)


class NodeProcess:
    """A node in a process of its own; what it writes is collected in `output`."""

    def __init__(self, module, arguments):
        self.output = ''
        self._process = subprocess.Popen(
            [sys.executable, '-m', module, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.output += line

    def wait_for(self, text, timeout=TIMEOUT):
        """Wait until the node has written `text`."""

        def written():
            if self._process.poll() is not None:
                self._reader.join()
                if text not in self.output:
                    pytest.fail(f'the node ended without writing {text!r}:\n{self.output}')
            return text in self.output

        wait_until(written, lambda: f'{text!r} in\n{self.output}', timeout)

    def wait(self, timeout=TIMEOUT):
        """Wait until the node ends; its exit code."""
        code = self._process.wait(timeout)
        self._reader.join()
        return code

    def stop(self, number=signal.SIGINT):
        """Ask the node to end; its exit code."""
        self._process.send_signal(number)
        return self.wait()

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
        self.wait()

    def end(self):
        """End the node, by force if need be, and show what it wrote beside a test that failed."""
        try:
            if self._process.poll() is None:
                # A killed one would go on in the eyes of the next test's peer.
                self._process.send_signal(signal.SIGINT)
                self._process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()
            print(self.output)


class Peer:
    """The test's side of the conversation: a ROS node whose callbacks run in a thread."""

    def __init__(self, node):
        self.node = node

    def collect(self, message_type, topic, qos=10):
        """Subscribe; returns the list to which messages are appended as they come."""
        messages = []
        self.node.create_subscription(message_type, topic, messages.append, qos)
        return messages

    def publisher(self, message_type, topic, qos=10):
        """A publisher that somebody listens to already."""
        publisher = self.node.create_publisher(message_type, topic, qos)
        wait_until(publisher.get_subscription_count, f'a subscription to {topic}')
        return publisher

    def call(self, service_type, name, request):
        """Call a service and wait for the answer."""
        client = self.node.create_client(service_type, name)
        try:
            wait_until(client.service_is_ready, f'the service {name}')
            future = client.call_async(request)
            wait_until(future.done, f'an answer of {name}')
            return future.result()
        finally:
            self.node.destroy_client(client)


@pytest.fixture(name='wait_until')
def wait_until_function():
    return wait_until


@pytest.fixture(scope='session')
def ros(ros_domain):
    """ROS in this process, on a domain that no robot and no other session of tests is on."""
    rclpy = pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')
    from rclpy.signals import SignalHandlerOptions

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('PYTHONUNBUFFERED', '1')
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        yield rclpy
        rclpy.try_shutdown()


@pytest.fixture
def own_context(ros):
    """A ROS context, and so a DDS participant, of one test's own."""
    context = ros.Context()
    context.init()
    yield context
    context.try_shutdown()


@pytest.fixture
def peer_context():
    """The ROS context that `peer` is of; None: that of this process, as nodes made in it are."""
    return None


@pytest.fixture
def peer(ros, peer_context):
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.task import Future

    node = ros.create_node('peer', context=peer_context)
    executor = SingleThreadedExecutor(context=peer_context)
    executor.add_node(node)
    stop = Future()
    thread = threading.Thread(target=executor.spin_until_future_complete, args=(stop,))
    thread.start()
    yield Peer(node)
    stop.set_result(None)
    thread.join()
    node.destroy_node()


@pytest.fixture
def start_node(ros):
    """Start `module` with parameters (dict), remappings (dict) and other arguments (list)."""
    started = []

    def start(module, parameters=None, remappings=None, arguments=()):
        ros_arguments = []
        for name, value in (parameters or {}).items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            ros_arguments += ['-p', f'{name}:={text}']
        for name, topic in (remappings or {}).items():
            ros_arguments += ['-r', f'{name}:={topic}']
        process = NodeProcess(module, [*arguments, '--ros-args', *ros_arguments])
        started.append(process)
        return process

    yield start
    for process in started:
        process.end()


@pytest.fixture(scope='module')
def model():
    """A small network with random weights."""
    from mbu_ros.model.random import random_model

    return random_model(width=8, depth=2, classes=4, input_size=(48, 64), seed=3)


@pytest.fixture(scope='module')
def model_file(model, tmp_path_factory):
    """Its file."""
    from mbu_ros.model.file import save_model

    path = tmp_path_factory.mktemp('model') / 'small.safetensors'
    save_model(model, path)
    return path


@pytest.fixture
def shop(monkeypatch):
    """Engines that the node is given in this process, and what became of them."""
    from mbu_ros.node import engines

    from .workshop import Workshop

    shop = Workshop()
    monkeypatch.setattr(engines, 'create_engine', shop.create)
    return shop


@pytest.fixture
def rig():
    """Makes cameras of one node with all that is around them, and no middleware."""
    from .camera_fakes import Rig

    made = []

    def make(*settings, **more):
        made.append(Rig(*settings, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()
