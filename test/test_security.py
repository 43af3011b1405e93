# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Nothing in the package runs what a parameter or a file says: no shell, no pickle, no eval."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1]
FILES = sorted([*SOURCE.glob('mbu_ros/**/*.py'), *SOURCE.glob('launch/**/*.py')])
MODULES = {'pickle', 'cPickle', 'dill', 'marshal', 'shelve', 'joblib', 'yaml'}
CALLS = {
    'eval', 'exec', 'compile', '__import__', 'os.system', 'os.popen', 'subprocess.getoutput',
    'subprocess.getstatusoutput',
}  # fmt: skip


def findings(text):
    """What a source does that it must not do."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [node.module or '']
            yield from (f'imports {n}' for n in names if n.partition('.')[0] in MODULES)
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if name in CALLS:
            yield f'calls {name}'
        if given.get('shell', 'False') != 'False':
            yield f'{name} starts a shell'
        if given.get('allow_pickle', 'False') != 'False':
            yield f'{name} reads pickles'
        if name == 'torch.load' and given.get('weights_only') != 'True':
            yield 'torch.load reads pickles'
        if name == 'YAML' and given.get('typ') not in ("'safe'", "'rt'"):
            yield 'YAML of any type'


def test_there_are_sources():
    assert len(FILES) > 100


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_source_runs_nothing_that_it_is_given(path):
    assert list(findings(path.read_text())) == []


@pytest.mark.parametrize(
    'text',
    [
        'import pickle',
        'from yaml import load',
        'eval(name)',
        'os.system(name)',
        'subprocess.run(name, shell=True)',
        'subprocess.run(name, shell=how)',
        'np.load(path, allow_pickle=True)',
        'torch.load(path)',
        'torch.load(path, weights_only=False)',
        "YAML(typ='unsafe').load(text)",
    ],
)
def test_each_of_these_would_be_found(text):
    assert list(findings(text))


@pytest.mark.parametrize(
    'text', ['import json', 'subprocess.run([name])', 'torch.load(path, weights_only=True)']
)
def test_what_is_allowed(text):
    assert not list(findings(text))
