# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import importlib

import pytest

from mbu_ros.engine.cuda import device, graph, kernels, parameters, session_plan
from mbu_ros.model.random import random_model

from . import toy_network
from .fake_gpu import FakeGpu


@pytest.fixture
def install(monkeypatch):
    """A function that makes a FakeGpu, and has the engine find it, and run the toy network."""
    real_import = importlib.import_module

    def make(bindings=True, **options):
        gpu = FakeGpu(toy_network.KERNELS, **options)
        modules = {'pycuda.driver': gpu.driver, 'cuda.bindings.driver': gpu.bindings}

        def import_module(name, *arguments, **options):
            if name == 'cuda.bindings.driver' and not bindings:
                raise ModuleNotFoundError("No module named 'cuda'")
            return modules.get(name) or real_import(name, *arguments, **options)

        monkeypatch.setattr(importlib, 'import_module', import_module)
        monkeypatch.setattr(device, '_pop_current', gpu.pop_current)
        monkeypatch.setattr(graph, '_warned', False)
        monkeypatch.setattr(kernels, 'load_cubins', lambda names, _: dict.fromkeys(names, b'\x7f'))
        monkeypatch.setattr(session_plan, 'network_plan', toy_network.plan)
        monkeypatch.setattr(
            parameters, 'network_constant', lambda _, name: toy_network.CONSTANTS[name]
        )
        return gpu

    return make


@pytest.fixture
def toy_model():
    """A model of 8x12 pixels, whose parameters the toy network ignores."""
    return random_model(input_size=(8, 12), depth=2)
