# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A GPU played by the CPU: as much of pycuda.driver and cuda.bindings.driver as the engine uses.

Device memory is host memory full of 0xA5, kernels are Python functions, and what is enqueued on a
stream happens at once, or when its graph is launched. Calls without a current context fail, as
they do on a GPU.
"""

import ctypes
import enum
import itertools
import types

import numpy as np


class Error(Exception):
    pass


class MemoryError(Error):  # as PyCUDA calls it
    pass


class LogicError(Error):
    pass


class Code(enum.IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_VALUE = 1
    CUDA_ERROR_OUT_OF_MEMORY = 2


class Node:
    """A node of a graph: what it does, and whether it is a kernel."""

    def __init__(self, work, is_kernel):
        self.work = work
        self.is_kernel = is_kernel


class Graph:
    """Captured work: nodes in order, and the data of the edges between them, by their ends."""

    def __init__(self):
        self.nodes = []
        self.edges = {}

    def add(self, node):
        if self.nodes:
            self.edges[self.nodes[-1], node] = None
        self.nodes.append(node)


def view(address, count, dtype=np.uint8):
    """What lies at an address, as an array."""
    raw = (ctypes.c_uint8 * (count * np.dtype(dtype).itemsize)).from_address(int(address))
    return np.ctypeslib.as_array(raw).view(dtype)


class FakeGpu:
    """One GPU, its driver, and both modules that lead to it.

    Attributes:
        kernels: Python functions by name; they get the launch's arguments.
        used: bytes allocated on the device.
        fails: names of calls that raise LogicError from now on.
        short: names of calls for which memory is short.
        missing: names of functions of cuda-bindings that the driver does not have.
        calls: how often each call was made, by name.
        overlaps: for each graph that was instantiated, from which to which of its kernels the next
            one may start early.
    """

    def __init__(
        self,
        kernels,
        memory=1 << 20,
        capability=(9, 0),
        integrated=False,
        devices=1,
        bindings_release=13,
    ):
        self.kernels = kernels
        self.memory = memory
        self.capability = capability
        self.integrated = integrated
        self.devices = devices
        self.used = 0
        self.retained = 0
        self.stack = []
        self.fails = set()
        self.short = set()
        self.missing = set()
        self.refuses_overlap = False
        self.overlaps = []
        self.bindings_release = bindings_release
        self.calls = {}
        self.graphs = 0
        self.events = 0
        self.attributes = []
        self.host_flags = []
        self.capturing = None
        self.driver = self._driver()
        self.bindings = self._bindings()

    def called(self, name, context=True):
        self.calls[name] = self.calls.get(name, 0) + 1
        if context and not self.stack:
            raise LogicError(f'{name}: no current context')
        if name in self.fails:
            raise LogicError(f'{name} failed')
        if name in self.short:
            raise MemoryError(f'{name}: out of memory')

    def submit(self, work, is_kernel=False):
        if self.capturing is None:
            work()
        else:
            self.capturing.add(Node(work, is_kernel))

    def pop_current(self):
        self.stack.pop()

    def _driver(gpu):
        class Device:
            def __init__(self, index):
                self.index = index

            @staticmethod
            def count():
                return gpu.devices

            def name(self):
                return 'Fake GPU'

            def pci_bus_id(self):
                return f'0000:4{self.index}:00.0'

            def compute_capability(self):
                return gpu.capability

            def get_attribute(self, name):
                known = {'INTEGRATED': int(gpu.integrated), 'MULTIPROCESSOR_COUNT': 132}
                return known.get(name, 233472)

            def retain_primary_context(self):
                gpu.called('retain', context=False)
                gpu.retained += 1
                return Context()

        class Context:
            def push(self):
                gpu.stack.append(self)

            @staticmethod
            def pop():
                gpu.stack.pop()

            def detach(self):
                assert not gpu.stack
                gpu.retained -= 1

        class Stream:
            handle = 7

            def __init__(self, flags):
                gpu.called('Stream')

            def synchronize(self):
                gpu.called('synchronize')

        class Event:
            clock = itertools.count()

            def __init__(self):
                gpu.called('Event')

            def record(self, stream):
                def mark():
                    self.time = next(Event.clock)

                assert gpu.capturing is None, 'its time could not be read'
                mark()

            def time_since(self, start):
                return float(self.time - start.time)

        class Allocation:
            def __init__(self, size):
                gpu.called('mem_alloc')
                if gpu.used + size > gpu.memory:
                    raise MemoryError('out of memory')
                gpu.used += size
                self.memory = np.full(size + 256, 0xA5, np.uint8)
                self.address = -(-self.memory.ctypes.data // 256) * 256

            def __int__(self):
                return self.address

            def free(self):
                assert gpu.stack
                gpu.used -= len(self.memory) - 256
                del self.memory

        class HostMemory:
            def __init__(self, size):
                self.memory = np.empty(size, np.uint8)
                self.__array_interface__ = self.memory.__array_interface__

            def get_device_pointer(self):
                return self.memory.ctypes.data

        class Function:
            def __init__(self, name):
                self.kernel = gpu.kernels[name]

            def prepare(self, types):
                self.types = types
                return self

            def set_attribute(self, attribute, value):
                gpu.attributes.append((attribute, value))

            def prepared_async_call(self, grid, block, stream, *arguments, shared_size):
                gpu.called('launch')
                assert len(arguments) == len(self.types)
                gpu.submit(lambda: self.kernel(*arguments), is_kernel=True)

        class Module:
            def get_function(self, name):
                if name not in gpu.kernels:
                    raise LogicError(f'no kernel {name}')
                return Function(name)

        def pagelocked_empty(shape, dtype, mem_flags):
            gpu.called('pagelocked_empty')
            gpu.host_flags.append(mem_flags)
            return np.asarray(HostMemory(shape), dtype)

        def copy(target, source, stream=None):
            gpu.called('copy')
            addresses = [
                side.ctypes.data if isinstance(side, np.ndarray) else int(side)
                for side in (target, source)
            ]
            size = next(side.nbytes for side in (target, source) if isinstance(side, np.ndarray))
            gpu.submit(lambda: ctypes.memmove(*addresses, size))

        def module_from_buffer(cubin):
            gpu.called('module_from_buffer')
            return Module()

        def mem_get_info():
            gpu.called('mem_get_info')
            return gpu.memory - gpu.used, gpu.memory

        names = types.SimpleNamespace
        return names(
            Error=Error,
            MemoryError=MemoryError,
            LogicError=LogicError,
            Device=Device,
            Context=Context,
            Stream=Stream,
            Event=Event,
            init=lambda: gpu.called('init', context=False),
            mem_alloc=Allocation,
            mem_get_info=mem_get_info,
            memcpy_htod_async=copy,
            memcpy_dtoh_async=copy,
            pagelocked_empty=pagelocked_empty,
            module_from_buffer=module_from_buffer,
            host_alloc_flags=names(DEVICEMAP=2),
            function_attribute=names(MAX_DYNAMIC_SHARED_SIZE_BYTES='shared'),
            device_attribute=names(
                INTEGRATED='INTEGRATED',
                MULTIPROCESSOR_COUNT='MULTIPROCESSOR_COUNT',
                MAX_SHARED_MEMORY_PER_BLOCK_OPTIN='block',
                MAX_SHARED_MEMORY_PER_MULTIPROCESSOR='multiprocessor',
            ),
        )

    def _bindings(gpu):
        def guarded(call):
            """Make it return as cuda-bindings does: a code, and a value where there is one."""

            def wrapper(*arguments):
                if call.__name__ in gpu.missing:
                    raise RuntimeError(f'Function "{call.__name__}" not found')
                try:
                    gpu.called(call.__name__)
                    value = call(*arguments)
                except LogicError:
                    return Code.CUDA_ERROR_INVALID_VALUE, None
                except MemoryError:
                    return Code.CUDA_ERROR_OUT_OF_MEMORY, None
                if isinstance(value, tuple):
                    return (Code.CUDA_SUCCESS, *value)
                return (Code.CUDA_SUCCESS,) if value is None else (Code.CUDA_SUCCESS, value)

            return wrapper

        def cuStreamBeginCapture(stream, mode):
            assert gpu.capturing is None
            gpu.capturing = Graph()

        def cuStreamEndCapture(stream):
            graph, gpu.capturing = gpu.capturing, None
            return graph

        def cuGraphInstantiate(graph, flags):
            pairs = list(zip(graph.nodes, graph.nodes[1:]))
            assert set(graph.edges) == set(pairs), 'an edge was lost'
            overlaps = [(a, b) for a, b in pairs if graph.edges[a, b] is not None]
            if overlaps and gpu.refuses_overlap:
                raise LogicError('no such edges')
            for pair in overlaps:
                assert all(node.is_kernel for node in pair)
                assert (graph.edges[pair].type, graph.edges[pair].from_port) == (1, 1)
            order = [node for node in graph.nodes if node.is_kernel]
            gpu.overlaps.append([(order.index(a), order.index(b)) for a, b in overlaps])
            gpu.graphs += 1
            return graph

        def cuGraphLaunch(executable, stream):
            for node in executable.nodes:
                node.work()

        def get_edges(graph, count):
            edges = list(graph.edges)[:count]
            starts, ends = [start for start, _ in edges], [end for _, end in edges]
            return starts, ends, [None] * len(edges), len(graph.edges)

        def cuGraphNodeGetType(node):
            return 0 if node.is_kernel else 1

        def remove_edges(graph, starts, ends, count):
            assert len(starts) == len(ends) == count
            for pair in zip(starts, ends):
                del graph.edges[pair]

        def add_edges(graph, starts, ends, data, count):
            assert len(starts) == len(ends) == len(data) == count
            graph.edges |= dict(zip(zip(starts, ends), data))

        # Release 13 gave the functions that know of edge data the names of those that do not.
        if gpu.bindings_release >= 13:

            def cuGraphGetEdges(graph, count=0):
                return get_edges(graph, count)

            def cuGraphRemoveDependencies(graph, starts, ends, data, count):
                remove_edges(graph, starts, ends, count)

            def cuGraphAddDependencies(graph, starts, ends, data, count):
                add_edges(graph, starts, ends, data, count)

            edge_calls = [cuGraphGetEdges, cuGraphRemoveDependencies, cuGraphAddDependencies]
        else:

            def cuGraphGetEdges(graph, count=0):
                starts, ends, _, total = get_edges(graph, count)
                return starts, ends, total

            def cuGraphRemoveDependencies_v2(graph, starts, ends, data, count):
                remove_edges(graph, starts, ends, count)

            def cuGraphAddDependencies_v2(graph, starts, ends, data, count):
                add_edges(graph, starts, ends, data, count)

            def cuGraphRemoveDependencies(graph, starts, ends, count):
                remove_edges(graph, starts, ends, count)

            def cuGraphAddDependencies(graph, starts, ends, count):
                add_edges(graph, starts, ends, [None] * count, count)

            edge_calls = [
                *(cuGraphGetEdges, cuGraphRemoveDependencies_v2, cuGraphAddDependencies_v2),
                *(cuGraphRemoveDependencies, cuGraphAddDependencies),
            ]

        def cuGraphExecDestroy(executable):
            gpu.graphs -= 1

        def cuEventCreate(flags):
            gpu.events += 1
            return types.SimpleNamespace(clock=gpu.driver.Event.clock)

        def cuEventDestroy(event):
            gpu.events -= 1

        def cuEventRecordWithFlags(event, stream, flags):
            def mark():
                event.time = next(event.clock)

            assert flags == (gpu.capturing is not None), 'external in captures, and only there'
            gpu.submit(mark)

        def cuEventElapsedTime(start, end):
            return float(end.time - start.time)

        calls = [
            *(cuStreamBeginCapture, cuStreamEndCapture, cuGraphInstantiate, cuGraphLaunch),
            *(cuGraphExecDestroy, cuEventCreate, cuEventDestroy, cuEventRecordWithFlags),
            *(cuEventElapsedTime, cuGraphNodeGetType, *edge_calls),
        ]
        return types.SimpleNamespace(
            CUresult=Code,
            CUstream=lambda handle: handle,
            CUstreamCaptureMode=types.SimpleNamespace(CU_STREAM_CAPTURE_MODE_RELAXED=2),
            CUgraphNodeType=types.SimpleNamespace(CU_GRAPH_NODE_TYPE_KERNEL=0),
            CUgraphEdgeData=types.SimpleNamespace,
            CUgraphDependencyType=types.SimpleNamespace(
                CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC=1
            ),
            CU_GRAPH_KERNEL_NODE_PORT_PROGRAMMATIC=1,
            cuGraphUpload=lambda executable, stream: (Code.CUDA_SUCCESS,),
            cuGraphDestroy=lambda graph: (Code.CUDA_SUCCESS,),
            **{call.__name__: guarded(call) for call in calls},
        )
