# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a training run is told: `--set`, settings, and the `run.json` of one to go on with."""

import json
import math
import types

import pytest

pytest.importorskip('hypothesis', reason='hypothesis comes with mbu_ros[dev]')
pytest.importorskip('torch', reason='training needs PyTorch')

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mbu_ros.commands.train import _settings
from mbu_ros.training.networks import NETWORKS
from mbu_ros.training.recipe import RANGES, RECIPES
from mbu_ros.training.run import RUN_FILE, Run
from mbu_ros.training.settings import Settings

from .bounds import outcome
from .mutations import EDGES64, damaged, json_values, text

KEYS = tuple(vars(RECIPES['standard']))

numbers = (
    st.floats().map(repr)
    | st.sampled_from([*map(str, EDGES64), '-1', '1e400', '0x10', '1_0', '٣', '½', '1' * 999, ''])
    | st.sampled_from(['true', 'FALSE', 'yes', 'quadratic', 'hard'])
    | text
)
assignments = (
    st.builds('{}={}'.format, st.sampled_from(KEYS), numbers)
    | st.builds('{}={}'.format, st.sampled_from(sorted(RANGES)), st.floats(0, 1).map(repr))
    | text
)


@settings(max_examples=300)
@given(st.sampled_from(sorted(RECIPES)), st.lists(assignments, max_size=4))
@example('standard', ['batch=' + '1' * 999])
def test_values_of_a_recipe(name, values):
    recipe = outcome(RECIPES[name].with_values, values)
    if recipe is not None:
        for key, (low, high) in RANGES.items():
            assert low <= getattr(recipe, key) <= high
        for key, value in vars(RECIPES[name]).items():
            assert type(getattr(recipe, key)) is type(value)
        str(recipe).encode()




def mostly(good, other):
    """Values of which one in ten is of the other kind."""
    return st.integers(0, 9).flatmap(lambda n: good if n else other)


integers = mostly(st.integers(1, 6), st.sampled_from([*EDGES64, -1]))
names = st.lists(st.sampled_from([*NETWORKS, 'x']), max_size=5).map(','.join)
arguments = st.builds(
    types.SimpleNamespace,
    recipe=mostly(st.sampled_from(sorted(RECIPES)), text),
    values=mostly(st.none(), st.lists(assignments, max_size=2)),
    batch=mostly(st.none() | st.integers(1, 99), numbers),
    learning_rate=mostly(st.none() | st.floats(1e-6, 1), numbers),
    networks=st.none() | names,
    keep=mostly(st.none(), names),
    width=st.none() | integers,
    depth=st.none() | integers,
    start=mostly(st.none(), st.just('synthetic') | text),
    plan=mostly(st.none(), st.just('synthetic') | text),
    teachers=mostly(st.just(()), st.lists(st.just('synthetic') | text, min_size=1, max_size=2)),
    minutes=mostly(st.floats(1e-9, 1e9), st.floats()),
    seed=integers,
    budget=mostly(st.floats(1, 2), st.floats()),
)


@settings(max_examples=200)
@given(arguments)
def test_arguments(args):
    found = outcome(_settings, args)
    if found is not None:
        seconds = [found.seconds(name) for name in found.networks if name not in found.keep]
        assert all(0 < value < math.inf for value in seconds)
        assert Settings.from_dict(json.loads(json.dumps(found.as_dict()))) == found


@pytest.fixture(scope='module')
def run_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp('run')
    data = {'classes': ['a', 'b'], 'colors': [[0, 0, 0], [1, 1, 1]], 'input_size': [8, 8]}
    Run.create(folder, 'name', Settings(), {**data, 'mean': [1, 2, 3]})
    return folder / RUN_FILE


def change(draw, content):
    """Change something at any depth of a JSON value."""
    if isinstance(content, dict) and content and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(content)))
        return {**content, key: change(draw, content[key])}
    return draw(json_values)


@settings(max_examples=150)
@given(st.data())
def test_files_of_runs(run_file, data):
    good = (run_file.parent / RUN_FILE).read_bytes()
    if data.draw(st.integers(0, 3)):
        content = json.dumps(change(data.draw, json.loads(good))).encode()
    else:
        content = data.draw(damaged(good) | st.just(b'[' * 100_000))
    folder = run_file.parent / 'case'
    folder.mkdir(exist_ok=True)
    (folder / RUN_FILE).write_bytes(content)
    run = outcome(Run, folder)
    if run is not None:
        outcome(run.check_settings, Settings())
