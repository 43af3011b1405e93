# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of player and evaluator, and bags with topics that nobody can publish."""

import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')
pytest.importorskip('rclpy', reason='rclpy comes with ROS 2 or mbu_ros[ros]')

from hypothesis import example, given, settings
from hypothesis import strategies as st
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from mbu_ros.errors import InputError
from mbu_ros.evaluation.live import evaluator_node, player_node
from mbu_ros.evaluation.live.evaluator_settings import PARAMETERS as EVALUATOR_PARAMETERS

from ..bags.bag_files import make_samples, write_bag
from .bounds import outcome

REFUSALS = InputError, NameValidationException, ParameterException
"""What `main` of both turns into one line and exit code 1."""

words = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0'), max_size=12)
names = words | st.sampled_from(
    ['', '/camera/image_raw', '/camera/label', 'mask', 'no good', '~', '/']
)


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return str(write_bag(tmp_path_factory.mktemp('bag') / 'bag', make_samples(2)))


@pytest.fixture
def make(ros, monkeypatch, tmp_path):
    """Make a node of a class with parameters given at its start, and destroy it."""
    monkeypatch.chdir(tmp_path)  # a folder to write to may be called anything
    plain, made = Node.__init__, []

    def make(kind, given, *arguments):
        def init(self, name, **options):
            made.append(self)
            overrides = [Parameter(key, value=value) for key, value in given.items()]
            plain(self, name, parameter_overrides=overrides, enable_rosout=False, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Node, '__init__', init)
            try:
                kind(*arguments)
                return True
            finally:
                made.pop().destroy_node()

    return make


def values_like(default):
    """Values of the type of a default, and now and then of another."""
    kinds = {
        bool: st.booleans(),
        int: st.integers(0, 5) | st.sampled_from([2**63 - 1, -(2**63)]),
        float: st.floats(0.5, 50) | st.just(default) | st.floats(),
        str: names,
        list: st.lists(names, max_size=3),
    }
    if default == [1, 3, 5]:
        kinds[list] = st.lists(st.integers(-2, 9) | st.just(2**40), min_size=1, max_size=3)
    others = st.booleans() | st.integers(-3, 3) | st.floats() | names
    return st.integers(0, 19).flatmap(lambda n: kinds[type(default)] if n else others)


def changes(parameters):
    """Some of the parameters with other values; the rest as they are by default."""
    optional = {name: values_like(default) for name, (default, _) in parameters.items()}
    return st.lists(st.sampled_from(sorted(optional)), max_size=3, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({name: optional[name] for name in chosen})
    )


@settings(max_examples=25)
@given(changes(player_node.PARAMETERS))
@example({'mode': 'acknowledged', 'mask_topics': ['no good']})
def test_player(make, bag, given):
    outcome(make, player_node.Player, {'bag': bag} | given, refusals=REFUSALS)


@settings(max_examples=25)
@given(changes(EVALUATOR_PARAMETERS))
@example({'resume': '/rosbag2_player/resume'})
def test_evaluator(make, bag, tmp_path_factory, given):
    folder = tmp_path_factory.getbasetemp()
    kind = evaluator_node.Evaluator
    outcome(make, kind, {'bag': bag} | given, folder, refusals=REFUSALS)
