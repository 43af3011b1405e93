# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from mbu_ros.engine import select
from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.reference import ReferenceEngine
from mbu_ros.model.random import random_model


def test_reference_is_given_when_asked_for():
    engine, reason = select.create_engine('reference', random_model())
    assert isinstance(engine, ReferenceEngine)
    assert 'asked for' in reason


def test_auto_falls_back_and_says_why(monkeypatch):
    def unavailable(model):
        raise EngineUnavailable('no NVIDIA driver')

    monkeypatch.setattr(select, '_create_cuda', unavailable)
    engine, reason = select.create_engine('auto', random_model())
    assert engine.name == 'reference'
    assert 'no NVIDIA driver' in reason


def test_auto_takes_cuda_where_it_runs(monkeypatch):
    marker = object()
    monkeypatch.setattr(select, '_create_cuda', lambda model: marker)
    engine, reason = select.create_engine('auto', random_model())
    assert engine is marker
    assert 'GPU' in reason


def test_unknown_engine():
    with pytest.raises(EngineUnavailable, match="'gpu'.*auto, reference, cuda"):
        select.create_engine('gpu', random_model())
