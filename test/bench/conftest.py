# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import sys

import pytest

from mbu_ros.bench.floor import Network
from mbu_ros.model.structure import layer_shapes

from .fakes import fake_nvml


@pytest.fixture
def nvml(monkeypatch):
    module = fake_nvml()
    monkeypatch.setitem(sys.modules, 'pynvml', module)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    return module


@pytest.fixture
def small():
    names = [s.name for s in layer_shapes(16, 1, 3) if s.is_binary]
    return Network(16, 1, 3, dict.fromkeys(names, 2), (8, 16), 2)
