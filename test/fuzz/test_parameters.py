# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's parameters: files of any YAML at the start, and values of any type while it runs."""

import math

import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from hypothesis import given, settings
from hypothesis import strategies as st
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.exceptions import ParameterException

from mbu_ros.errors import InputError
from mbu_ros.node.assessment import Limits
from mbu_ros.node.declaring import declare, warn_of_unknown
from mbu_ros.node.managed import ManagedNode
from mbu_ros.node.parameter_table import NODE, PARAMETERS
from mbu_ros.node.parameters import Live, read_settings

from .bounds import bounded, check_text, outcome

NAMES = tuple(entry.name for entry in PARAMETERS)
OWN = tuple(entry.name for entry in PARAMETERS if entry.of_camera)
CHOICES = tuple(sorted({choice for entry in PARAMETERS for choice in entry.choices}))

words = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0'), max_size=12)
texts = st.sampled_from([*CHOICES, '', 'front', 'a' * 500, '../x', '~nobody', '/']) | words
floats = st.floats() | st.sampled_from([0.0, -0.0, 0.5, 1.0, 1e9, -1.0, -0.5])
integers = st.sampled_from([0, 1, 5, 100, 101, -1, 2**63 - 1, -(2**63)]) | st.integers(-300, 300)


def check_values(node):
    """All parameters have values that the rest of the node may rely on."""
    live, settings_read = Live(node), read_settings(node)
    assert settings_read.cameras
    assert 0 <= live.overlay_alpha <= 1 and 0 <= live.confidence_threshold <= 1
    for camera in settings_read.cameras:
        assert 1 <= camera.queue_depth <= 100
        assert camera.transport in ('raw', 'compressed')
        assert camera.mask_size in ('camera', 'network')
        assert camera.reliability in ('best_effort', 'reliable', 'publisher')
        assert 0 <= live.max_rate(camera.name) <= 1000
        assert isinstance(live.limits(camera.name), Limits)
        assert all(0 <= v < math.inf for v in vars(live.limits(camera.name)).values())
        assert all(isinstance(topic, str) for topic in live.outputs(camera.name))
    assert 0 <= settings_read.retry_seconds <= 3600


# Scalars as people and generators of files write them, some of which YAML reads otherwise.
scalars = (
    st.sampled_from(
        ['true', 'No', 'null', '~', '.nan', '.inf', '-.inf', '1e400', '0x7f', '1_0', '0o17', '010',
         '9223372036854775808', '-1', '0', '5', '5.', '.5', '0.5', '1e3', '2001-01-01', "''", '""',
         '!!int 3', '!!binary aGk=', '!!null x', '&a 3', '*a', '"\\x00"', '"\\ud800"', '|', '@']
    )
    | floats.map(repr)
    | integers.map(str)
    | texts.map(lambda text: "'" + text.replace("'", "''").replace('\n', ' ') + "'")
    | words
)
arrays = st.lists(scalars, max_size=5).map(lambda items: '[' + ', '.join(items) + ']')
others = st.sampled_from(['{a: 1}', '[[1], [2]]', '[', '{', '[1, a, true]', '[]'])
values = scalars | arrays | others


names = st.sampled_from([*NAMES, *(f'front.{name}' for name in OWN)])


@st.composite
def right_values(draw, name):
    """What a file may well say of a parameter, in its range or not."""
    entry = next(entry for entry in PARAMETERS if name in (entry.name, f'front.{entry.name}'))
    if entry.choices and draw(st.integers(0, 9)):
        choice = draw(st.sampled_from(entry.choices))
        return f'[{choice}]' if isinstance(entry.default, list) else choice
    numbers = {bool: st.sampled_from(['true', 'false']), int: integers.map(str)}
    numbers[float] = (st.floats(0, 1) | floats).map(repr)
    return draw(numbers.get(type(entry.default), scalars))


@st.composite
def yaml_files(draw):
    """A file of parameters, mostly good: one wrong value is enough to have all of it refused."""
    lines = [draw(st.sampled_from(['/**:', '/fuzz:', '/**/fuzz:', 'other:']))]
    lines.append('  ros__parameters:')
    if draw(st.booleans()):
        cameras = st.sampled_from(['[front]', '[front, rear]'])
        lines.append(f'    cameras: {draw(cameras | values)}')
    for _ in range(draw(st.integers(0, 4))):
        name = draw(names)
        lines.append(f'    {name}: {draw(right_values(name))}')
    if draw(st.integers(0, 3)) == 0:
        lines.append(f'    {draw(names | words)}: {draw(values)}')
    text = '\n'.join(lines) + '\n'
    if draw(st.integers(0, 9)) == 0:
        place, length = draw(st.integers(0, len(text))), draw(st.integers(0, 8))
        stray = draw(st.sampled_from(['\t', ':', '\n', '#', '- ', '\x01', '\u2028', '']))
        text = text[:place] + stray + text[place + length :]
    return text


@settings(max_examples=40)
@given(yaml_files())
def test_files_of_parameters(ros, tmp_path_factory, text):
    path = tmp_path_factory.mktemp('yaml', numbered=True) / 'case.yaml'
    path.write_text(text, encoding='utf-8', errors='surrogatepass')

    def start():
        arguments = ['--ros-args', '--params-file', str(path)]
        node = ros.create_node('fuzz', cli_args=arguments, enable_rosout=False)
        try:
            declare(node)
            warn_of_unknown(node)
            check_values(node)
        finally:
            node.destroy_node()

    # What `main` of the node turns into one line and exit code 1.
    outcome(start, refusals=(ParameterException, RuntimeError))


def make_value(kind, draw):
    value = ParameterValue(type=kind)
    value.bool_value = draw(st.booleans())
    value.integer_value, value.double_value = draw(integers), draw(floats)
    value.string_value = draw(texts)
    value.bool_array_value = draw(st.lists(st.booleans(), max_size=2))
    value.integer_array_value = draw(st.lists(integers, max_size=4))
    value.double_array_value = draw(st.lists(floats, max_size=4))
    value.string_array_value = draw(st.lists(texts, max_size=4))
    return value


@st.composite
def requests(draw):
    """Parameters as any node on the network may send them, with types that do not exist too."""
    others = st.sampled_from(['unknown', 'use_sim_time', '']) | words
    kinds = st.sampled_from([*range(10), 3, 4, 9]) | st.integers(0, 255)
    right = {bool: 1, int: 2, float: 3, str: 4, list: 9}
    found = []
    for _ in range(draw(st.integers(0, 3))):
        name = draw(names | names | others)
        entry = next((e for e in PARAMETERS if name.endswith(e.name)), None)
        kind = draw(kinds)
        if entry is not None and draw(st.integers(0, 3)):
            kind = right[type(entry.default)]
        found.append(ParameterMessage(name=name, value=make_value(kind, draw)))
    return found


@pytest.fixture(scope='module')
def node(ros):
    """A node with parameters declared; models whose names begin with 'a' are there."""

    def check_model(name, sha256):
        if not name.startswith('a'):
            raise InputError(f'no model {name!r}')

    arguments = ['--ros-args', '-p', 'cameras:=[front]']
    node = ManagedNode('fuzz_set', cli_args=arguments)
    declare(node, check_model)
    yield node
    node.destroy_node()


@settings(max_examples=100)
@given(requests(), st.booleans())
def test_requests_to_set_parameters(node, parameters, together):
    service = node._parameter_services
    with bounded(parameters, together):
        if together:
            request = SetParametersAtomically.Request(parameters=parameters)
            response = SetParametersAtomically.Response()
            results = [service._set_parameters_atomically_callback(request, response).result]
        else:
            request = SetParameters.Request(parameters=parameters)
            response = service._set_parameters_callback(request, SetParameters.Response())
            results = response.results
            assert len(results) == len(parameters)
        for result in results:
            if not result.successful:
                check_text(result.reason)
        check_values(node)
        for entry in PARAMETERS:
            if entry.changed == NODE:
                assert node.get_parameter(entry.name).value == entry.default
