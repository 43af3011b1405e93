# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the engine says of the memory that it holds, beside what the device knows."""

import numpy as np
import pytest

from mbu_ros.engine.base import EngineError
from mbu_ros.engine.cuda.engine import MAX_BATCH, CudaEngine


def frame(height, width):
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize('integrated', [False, True])
def test_it_counts_all_that_is_allocated(install, toy_model, integrated):
    gpu = install(integrated=integrated)
    engine = CudaEngine(toy_model)
    assert (engine.architecture, engine.max_batch) == ('sm_90', MAX_BATCH)
    used = []
    for frames in ([frame(8, 12)], [frame(20, 30)] * 3, [frame(33, 17), frame(8, 12)]):
        engine.segment(frames)
        memory = engine.memory()
        assert (memory.free, memory.total) == (gpu.memory - gpu.used, gpu.memory)
        if integrated:  # frames lie in the memory that both see, which is not the device's
            assert memory.used > gpu.used
        else:
            assert memory.used == gpu.used
        used.append(memory.used)
    assert used == sorted(set(used))
    engine.close()
    assert (gpu.used, gpu.retained, gpu.graphs) == (0, 0, 0)
    with pytest.raises(EngineError, match='closed'):
        engine.memory()
