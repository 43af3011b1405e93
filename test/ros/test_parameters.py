# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameters on a node of the test's own process: declared, read, changed, refused."""

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from rclpy.exceptions import ParameterException
from rclpy.parameter import Parameter

from mbu_ros.errors import InputError
from mbu_ros.node.assessment import Limits
from mbu_ros.node.declaring import declare, warn_of_unknown
from mbu_ros.node.parameter_table import NODE, OUTPUTS, PARAMETERS, START
from mbu_ros.node.parameters import CameraSettings, Live, Settings, read_settings


@pytest.fixture
def make_node(ros):
    nodes = []

    def make(*parameters):
        arguments = [text for parameter in parameters for text in ('-p', parameter)]
        nodes.append(ros.create_node('parameters', cli_args=['--ros-args', *arguments]))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


def change(node, name, value):
    return node.set_parameters([Parameter(name, value=value)])[0]


def test_every_parameter_is_described(make_node):
    node = make_node('cameras:=[front]')
    declare(node)
    for entry in PARAMETERS:
        names = [entry.name] + ([f'front.{entry.name}'] if entry.of_camera else [])
        for name in names:
            descriptor = node.describe_parameter(name)
            assert entry.description in descriptor.description
            assert (f'[{entry.unit}]' in descriptor.description) == bool(entry.unit)
            assert f'Set {entry.changed}' in descriptor.additional_constraints
            assert all(choice in descriptor.additional_constraints for choice in entry.choices)
            assert descriptor.read_only == (entry.changed == START)
            ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
            assert len(ranges) == (entry.low is not None)
            for limits in ranges:
                low = -1 if name != entry.name else entry.low
                assert (limits.from_value, limits.to_value) == (low, entry.high)
        if entry.name != 'cameras':
            assert node.get_parameter(entry.name).value == entry.default
    assert 'as max_rate of the node' in node.describe_parameter(
        'front.max_rate'
    ).additional_constraints


def test_defaults(make_node):
    node = make_node()
    declare(node)
    assert read_settings(node) == Settings('synthetic', 'auto', (CameraSettings(),))
    live = Live(node)
    assert (live.overlay_alpha, live.confidence_threshold, live.max_rate('')) == (0.5, 0, 0)
    assert live.outputs('') == OUTPUTS
    assert live.limits('') == Limits()


def test_a_camera_has_its_own_or_those_of_the_node(make_node):
    node = make_node(
        'cameras:=[front, rear_2]',
        'reliability:=reliable',
        'queue_depth:=7',
        'max_rate:=30.0',
        'limits.min_rate:=3.0',
        'front.transport:=compressed',
        'front.reliability:=publisher',
        'front.max_rate:=0.0',
        'rear_2.queue_depth:=1',
        'rear_2.mask_size:=network',
        'rear_2.limits.min_rate:=5.0',
        'rear_2.outputs:=[mask, timing]',
    )
    declare(node)
    assert read_settings(node).cameras == (
        CameraSettings('front', 'compressed', 'camera', 'publisher', 7),
        CameraSettings('rear_2', 'raw', 'network', 'reliable', 1),
    )
    live = Live(node)
    assert (live.max_rate('front'), live.max_rate('rear_2')) == (0, 30)
    assert live.limits('front').min_rate == 3 and live.limits('rear_2').min_rate == 5
    assert live.outputs('front') == OUTPUTS and live.outputs('rear_2') == ('mask', 'timing')

    assert change(node, 'max_rate', 10.0).successful
    assert (live.max_rate('front'), live.max_rate('rear_2')) == (0, 10)
    assert change(node, 'rear_2.max_rate', 2.0).successful
    assert change(node, 'front.max_rate', -1.0).successful
    assert (live.max_rate('front'), live.max_rate('rear_2')) == (10, 2)
    assert change(node, 'outputs', ['overlay']).successful
    assert live.outputs('front') == ('overlay',) and live.outputs('rear_2') == ('mask', 'timing')
    assert change(node, 'rear_2.outputs', ['']).successful
    assert live.outputs('rear_2') == ('overlay',)


@pytest.mark.parametrize(
    'name, value, words',
    [
        ('overlay_alpha', 1.1, 'overlay_alpha out of range'),
        ('overlay_alpha', float('nan'), 'overlay_alpha out of range'),
        ('overlay_alpha', float('inf'), 'overlay_alpha out of range'),
        ('overlay_alpha', 'half', 'Wrong parameter type'),
        ('confidence_threshold', -0.1, 'confidence_threshold out of range'),
        ('max_rate', -1.0, 'max_rate out of range'),
        ('front.max_rate', -0.5, 'front.max_rate out of range'),
        ('front.max_rate', 1e9, 'front.max_rate out of range'),
        ('front.queue_depth', 0, 'front.queue_depth out of range'),
        ('limits.max_drop_share', 2.0, 'limits.max_drop_share out of range'),
        ('outputs', ['mask', 'maks'], 'outputs must be one of mask, color, overlay, overlay/'),
        ('front.outputs', ['mask', ''], 'front.outputs must be one of mask'),
        ('transport', 'theora', "transport must be one of raw, compressed, not 'theora'"),
        ('transport', '', "transport must be one of raw, compressed, not ''"),
        ('front.reliability', 'some', 'front.reliability must be one of best_effort, reliable'),
        ('cameras', ['rear'], 'read-only'),
        ('autostart', False, 'read-only'),
        ('class_names', ['soil'], 'class_names cannot be set: it follows the model'),
        ('class_colors', [1, 2, 3], 'class_colors cannot be set'),
        ('model', 'weeds', 'no model weeds'),
        ('model_sha256', 'ab' * 31, 'is no SHA-256: 64 hexadecimal digits'),
        ('model_sha256', 'xy' * 32, 'is no SHA-256: 64 hexadecimal digits'),
        ('model_sha256', 'ab' * 32 + '\n', 'is no SHA-256: 64 hexadecimal digits'),
    ],
)
def test_bad_values_are_refused_with_the_reason(make_node, name, value, words):
    def check_model(asked, sha256):
        raise InputError(f'no model {asked}')

    node = make_node('cameras:=[front]')
    declare(node, check_model)
    before = node.get_parameter(name).value
    result = change(node, name, value)
    assert not result.successful and words in result.reason
    assert node.get_parameter(name).value == before


def test_a_model_is_judged_by_the_digest_that_will_hold(make_node):
    asked = []
    node = make_node()
    declare(node, lambda *model: asked.append(model))
    one, two = 'a' * 64, 'B' * 64
    assert change(node, 'model', 'first').successful
    assert change(node, 'model_sha256', one).successful
    assert change(node, 'model', 'second').successful
    together = [Parameter('model', value='third'), Parameter('model_sha256', value=two)]
    assert node.set_parameters_atomically(together).successful
    assert change(node, 'model_sha256', '').successful
    assert asked == [('first', ''), ('second', one), ('third', two)]
    assert Live(node).model_sha256 == ''


def test_refused_together_with_others_nothing_changes(make_node):
    node = make_node()
    declare(node)
    good, bad = Parameter('max_rate', value=3.0), Parameter('engine', value='tpu')
    result = node.set_parameters_atomically([good, bad])
    assert not result.successful and 'engine must be one of' in result.reason
    assert Live(node).max_rate('') == 0


def test_some_hold_while_the_node_is_configured(make_node):
    configured = [False]
    node = make_node('cameras:=[front]')
    declare(node, is_unconfigured=lambda: not configured[0])
    for name in ('engine', 'transport', 'front.transport', 'confidence_encoding'):
        entry = next(e for e in PARAMETERS if name.endswith(e.name))
        configured[0] = True
        result = change(node, name, entry.choices[1])
        assert not result.successful
        assert f'{name} can be changed only while the node is unconfigured' in result.reason
        configured[0] = False
        assert change(node, name, entry.choices[1]).successful
    assert read_settings(node).cameras == (CameraSettings('front', 'compressed'),)


def test_the_node_itself_may_set_what_follows_the_model(make_node):
    def check_model(asked, sha256):
        raise InputError('not called for the node itself')

    node = make_node()
    checks = declare(node, check_model)
    for entry in PARAMETERS:
        if entry.changed == NODE:
            assert node.get_parameter(entry.name).value == []
    checks.set_own(
        Parameter('class_names', value=['soil', 'crop']),
        Parameter('class_colors', value=[0, 0, 0, 9, 9, 9]),
        Parameter('model', value='other'),
    )
    assert node.get_parameter('class_names').value == ['soil', 'crop']
    assert node.get_parameter('model').value == 'other'
    assert not change(node, 'class_names', ['x']).successful


@pytest.mark.parametrize(
    'parameter, words',
    [
        ('cameras:=[Front]', "'Front' is no name of a camera"),
        ('cameras:=[front, 3d]', "'3d' is no name of a camera"),
        ('cameras:=[front, front]', 'must name each camera once'),
        ('cameras:=[front, ""]', "'' is no name of a camera"),
        ('cameras:=[]', 'cameras has no value; leave it out'),
        ('cameras:=front', "expecting type 'STRING_ARRAY'"),
        ('max_rate:=5', "expecting type 'DOUBLE'"),
        ('retry_seconds:=-1.0', 'retry_seconds out of range'),
        ('mask_size:=huge', 'mask_size must be one of camera, network'),
        ('model_sha256:=abc', "model_sha256: 'abc' is no SHA-256"),
    ],
)
def test_bad_starts(make_node, parameter, words):
    with pytest.raises(ParameterException) as caught:
        declare(make_node(parameter))
    assert words in str(caught.value)


def test_unknown_parameters_are_told_with_what_may_be_meant(make_node, capfd):
    node = make_node(
        'cameras:=[front]',
        'overlay_alfa:=0.1',
        'front.queue_depht:=3',
        'use_gpu:=true',
        'class_names:=[soil]',
        'use_sim_time:=true',
        'qos_overrides./image.subscription.depth:=3',
        'front.max_rate:=3.0',
    )
    declare(node)
    warn_of_unknown(node)
    (names, unknown) = capfd.readouterr().err.splitlines()
    assert 'class_names cannot be given: it follows the model' in names
    assert unknown.endswith(
        'are ignored: front.queue_depht (is front.queue_depth meant?), '
        'overlay_alfa (is overlay_alpha meant?), use_gpu'
    )


def test_known_parameters_are_not_told(make_node, capfd):
    node = make_node('cameras:=[front]', 'front.max_rate:=3.0', 'limits.max_age:=1.0')
    declare(node)
    warn_of_unknown(node)
    assert capfd.readouterr().err == ''
