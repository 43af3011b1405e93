# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.cuda.architecture import OLDEST
from mbu_ros.engine.cuda.driver import present_architectures


@pytest.fixture(scope='session', autouse=True)
def gpu():
    """The architecture of the GPU that all tests of this folder run on, such as 87."""
    try:
        architecture = present_architectures()[0]
    except EngineUnavailable as error:
        pytest.skip(f'no GPU: {error}')
    if architecture < OLDEST:
        pytest.skip(f'the GPU is of architecture {architecture}, the kernels need {OLDEST}')
    return architecture
