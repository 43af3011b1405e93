# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is said on /diagnostics of a node whose process has ended, without launch."""

import signal
from contextlib import closing

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from mbu_ros.node.diagnostics import NodeReport, engine_status
from mbu_ros.node.process_end import NODE_NAME, ProcessEnd, cause_of_end, end_status


@pytest.mark.parametrize(
    'returncode, text',
    [
        (-signal.SIGKILL, 'was ended by SIGKILL'),
        (-signal.SIGSEGV, 'was ended by SIGSEGV'),
        (-63, 'was ended by signal 63'),  # one without a name
        (1, 'ended with exit code 1'),
        (0, 'ended with exit code 0'),
    ],
)
def test_the_cause_is_told(returncode, text):
    assert cause_of_end(returncode) == text


def test_the_status_is_that_of_the_node():
    status = end_status('/robot/segment', 12, -9, 0.5)
    # Of the same name, so that who shows statuses replaces it once the node is back.
    assert status.name == engine_status('robot/segment', NodeReport('active')).name
    assert status.level == DiagnosticStatus.ERROR
    assert 'SIGKILL' in status.message and 'started again in 0.5 s' in status.message
    assert {value.key: value.value for value in status.values}['Exit code'] == '-9'
    assert 'respawn:=true' in end_status('segment', 12, -9, None).message


@pytest.mark.parametrize(
    'namespace, rules, topic, name',
    [
        ('', [], '/diagnostics', 'segment: engine'),
        ('robot', [], '/diagnostics', 'robot/segment: engine'),
        ('/robot', ['/diagnostics:=diagnostics'], '/robot/diagnostics', 'robot/segment: engine'),
    ],
)
def test_it_goes_where_the_diagnostics_of_the_node_go(
    peer, wait_until, namespace, rules, topic, name
):
    arrays = peer.collect(DiagnosticArray, topic)
    arguments = [word for rule in rules for word in ('--remap', rule)]
    with closing(ProcessEnd('segment', namespace, arguments)) as teller:
        wait_until(lambda: peer.node.count_publishers(topic), f'a publisher on {topic}')
        wait_until(lambda: teller.tell(12, -9, 0.5) or arrays, 'an array')
    assert [status.name for status in arrays[0].status] == [name]
    assert arrays[0].header.stamp.sec > 0
    teller.close()  # again, which does nothing


def test_what_was_said_last_arrives_though_it_ends_at_once(peer, wait_until):
    arrays = peer.collect(DiagnosticArray, '/diagnostics')
    with closing(ProcessEnd('segment', '')) as teller:
        wait_until(lambda: teller.tell(1, 0, None) or arrays, 'an array')
        teller.tell(2, 0, None)
    pids = lambda: {array.status[0].values[0].value for array in arrays}  # noqa: E731
    wait_until(lambda: '2' in pids(), 'the last one')


def test_it_needs_no_rights_that_the_node_does_not_have(peer, wait_until):
    with closing(ProcessEnd('segment', '')):
        names = lambda: peer.node.get_node_names()  # noqa: E731
        wait_until(lambda: NODE_NAME in names(), 'the node')

        def publishers():
            return dict(peer.node.get_publisher_names_and_types_by_node(NODE_NAME, '/'))

        wait_until(lambda: '/diagnostics' in publishers(), 'its publisher')
        assert set(publishers()) <= {'/diagnostics', '/parameter_events'}
        assert peer.node.get_service_names_and_types_by_node(NODE_NAME, '/') == []
