# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Model files by their SHA-256."""

import hashlib
import json
import tempfile
from pathlib import Path

import pytest

from mbu_ros import cli
from mbu_ros.errors import InputError
from mbu_ros.model.digest import CHUNK, sha256_of, verified
from mbu_ros.model.file import load_model, save_model
from mbu_ros.model.random import random_model


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / 'model.safetensors'
    save_model(random_model(width=8, depth=1, seed=3), path)
    return path


@pytest.mark.parametrize('size', [0, 1, CHUNK, CHUNK + 1])
def test_digests_are_those_of_hashlib(tmp_path, size):
    path = tmp_path / 'file'
    path.write_bytes(bytes(size))
    assert sha256_of(path) == hashlib.sha256(bytes(size)).hexdigest()
    with verified(path, sha256_of(path)) as copy:
        assert copy.read_bytes() == bytes(size)


@pytest.mark.parametrize('write', [str.lower, str.upper], ids=['lower', 'upper'])
def test_a_file_of_the_digest_is_loaded(saved, write):
    assert load_model(saved, write(sha256_of(saved))).name == load_model(saved).name


@pytest.mark.parametrize('position', [0, -1], ids=['header', 'weights'])
def test_a_file_with_another_bit_is_refused_with_both_digests(saved, position):
    expected = sha256_of(saved)
    content = bytearray(saved.read_bytes())
    content[position] ^= 1
    saved.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_model(saved, expected)
    for part in (str(saved), expected, sha256_of(saved)):
        assert part in str(caught.value)


def test_what_is_judged_is_what_is_loaded(saved, tmp_path):
    with verified(saved, sha256_of(saved)) as content:
        save_model(random_model(width=8, depth=2, seed=4), saved)
        assert load_model(content).depth == 1
    assert not content.exists()


def test_a_file_that_cannot_be_copied_is_an_input_error(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'missing'))
    with pytest.raises(InputError, match='model.safetensors'):
        load_model(saved, sha256_of(saved))


def test_info_tells_the_digest(saved, capsys):
    assert cli.main(['info', str(saved), '--json']) == 0
    assert json.loads(capsys.readouterr().out)['file_sha256'] == sha256_of(Path(saved))
    assert cli.main(['info', str(saved)]) == 0
    assert sha256_of(saved) in capsys.readouterr().out
