# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA engine: the deployed network on binary Tensor Cores, driven through PyCUDA.

What runs is decided without a GPU (`network_plan`, `frame_plan`: launches as data) and carried out
by `engine.CudaEngine`. PyCUDA and cuda-bindings are imported when an engine is made, not before:
every module here can be imported on a machine with neither.
"""

from mbu_ros.engine.cuda.engine import CudaEngine

__all__ = ['CudaEngine']
