# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Kernels of a graph that start while the one before them ends."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

OLDEST_OVERLAPPING = 90
"""First architecture on which a kernel can be launched before the one before it has ended."""


def let_kernels_overlap(
    bindings: ModuleType, graph: Any, check: Callable[[tuple[Any, ...]], Any]
) -> None:
    """Make the edges from kernel to kernel of a captured graph programmatic.

    Then a kernel may be launched while the one before it ends, which hides the latency of its
    launch. Each of our kernels waits by itself, before it reads or writes what others do (see
    kernels/dependent_launch.cuh).

    Args:
        bindings: the module cuda.bindings.driver.
        check: gives the value of what a call of it returned, or raises.

    Raises:
        pycuda.driver.Error: a call failed. The graph may have lost edges: capture it again.
        AttributeError, RuntimeError: the bindings or the driver are too old to have a call.
    """
    edges = bindings.cuGraphGetEdges(graph)
    check(edges[:1])
    edges = bindings.cuGraphGetEdges(graph, edges[-1])
    check(edges[:1])
    kernel = bindings.CUgraphNodeType.CU_GRAPH_NODE_TYPE_KERNEL
    pairs = [
        (start, end)
        for start, end in zip(edges[1], edges[2])
        if check(bindings.cuGraphNodeGetType(start)) == kernel
        and check(bindings.cuGraphNodeGetType(end)) == kernel
    ]
    if not pairs:
        return
    starts, ends = [start for start, _ in pairs], [end for _, end in pairs]
    data = bindings.CUgraphEdgeData()
    data.type = int(bindings.CUgraphDependencyType.CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC)
    data.from_port = bindings.CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC
    # In cuda-bindings 12 the functions that know of edge data have names of their own.
    suffix = '_v2' if hasattr(bindings, 'cuGraphAddDependencies_v2') else ''
    remove = getattr(bindings, f'cuGraphRemoveDependencies{suffix}')
    add = getattr(bindings, f'cuGraphAddDependencies{suffix}')
    check(remove(graph, starts, ends, None, len(pairs)))
    check(add(graph, starts, ends, [data] * len(pairs), len(pairs)))
