# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The table of parameters in docs/node.md is what the node declares."""

import ast

import pytest

pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from rclpy.parameter import Parameter

from mbu_ros.node.declaring import declare

from ..test_docs import rows

TYPES = {
    'bool': Parameter.Type.BOOL,
    'integer': Parameter.Type.INTEGER,
    'double': Parameter.Type.DOUBLE,
    'string': Parameter.Type.STRING,
    'string[]': Parameter.Type.STRING_ARRAY,
    'integer[]': Parameter.Type.INTEGER_ARRAY,
}


def parse(kind, text):
    """A default as the table has it."""
    if kind == 'string':
        return text.strip("'")
    return ast.literal_eval(text.capitalize() if kind == 'bool' else text)


def test_declared_parameters(ros):
    given = Parameter('cameras', value=['front'])
    node = ros.create_node('declaring', parameter_overrides=[given], start_parameter_services=False)
    before = set(node.get_parameters_by_prefix(''))
    declare(node)
    try:
        declared = node.get_parameters_by_prefix('')
        documented = set()
        for name, kind, default, limits, changed, _ in rows('node.md', 'name | type | default'):
            own = name.endswith('*')
            name = name.strip('`*')
            documented |= {name} | ({f'front.{name}'} if own else set())
            parameter = declared[name]
            descriptor = node.describe_parameter(name)
            assert parameter.type_ == TYPES[kind], name
            if name != 'cameras':
                value = parameter.value
                value = value if isinstance(value, (str, bool, int, float)) else list(value)
                assert value == parse(kind, default.strip('`')), name
            assert descriptor.read_only == (changed == 'start'), name
            for found in [*descriptor.floating_point_range, *descriptor.integer_range]:
                low, _, high = limits.split()[:3]
                assert (found.from_value, found.to_value) == (float(low), float(high)), name
        assert set(declared) - before == documented
    finally:
        node.destroy_node()
