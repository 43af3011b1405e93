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
        calls: how often each call was made, by name.
    """

    def __init__(self, kernels, memory=1 << 20, capability=(9, 0), integrated=False, devices=1):
        self.kernels = kernels
        self.memory = memory
        self.capability = capability
        self.integrated = integrated
        self.devices = devices
        self.used = 0
        self.retained = 0
        self.stack = []
        self.fails = set()
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

    def submit(self, work):
        if self.capturing is None:
            work()
        else:
            self.capturing.append(work)

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

            @staticmethod
            def synchronize():
                gpu.called('context synchronize')

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
                gpu.submit(lambda: self.kernel(*arguments))

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
            memcpy_htod=copy,
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
                try:
                    gpu.called(call.__name__)
                    value = call(*arguments)
                except LogicError:
                    return Code.CUDA_ERROR_INVALID_VALUE, None
                return (Code.CUDA_SUCCESS,) if value is None else (Code.CUDA_SUCCESS, value)

            return wrapper

        def cuStreamBeginCapture(stream, mode):
            assert gpu.capturing is None
            gpu.capturing = []

        def cuStreamEndCapture(stream):
            graph, gpu.capturing = gpu.capturing, None
            return graph

        def cuGraphInstantiate(graph, flags):
            gpu.graphs += 1
            return list(graph)

        def cuGraphLaunch(executable, stream):
            for work in executable:
                work()

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
            cuEventElapsedTime,
        ]
        return types.SimpleNamespace(
            CUresult=Code,
            CUstream=lambda handle: handle,
            CUstreamCaptureMode=types.SimpleNamespace(CU_STREAM_CAPTURE_MODE_RELAXED=2),
            CUgraphNodeType=types.SimpleNamespace(CU_GRAPH_NODE_TYPE_KERNEL=0),
            cuGraphGetEdges=lambda graph, count=0: (Code.CUDA_SUCCESS, [], [], [], 0),
            cuGraphUpload=lambda executable, stream: (Code.CUDA_SUCCESS,),
            cuGraphDestroy=lambda graph: (Code.CUDA_SUCCESS,),
            **{call.__name__: guarded(call) for call in calls},
        )
