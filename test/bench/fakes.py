# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A GPU, an engine and baselines that are not there."""

import types

import numpy as np

from mbu_ros.engine.cuda.launch import Launch

LAUNCH_MS = 0.25


class FakeNvmlError(Exception):
    pass


def fake_nvml(**replaced):
    """A module like pynvml, of one H200."""
    nvml = types.ModuleType('pynvml')
    nvml.NVMLError = FakeNvmlError
    nvml.NVML_CLOCK_SM, nvml.NVML_CLOCK_MEM, nvml.NVML_TEMPERATURE_GPU = 1, 2, 0
    energy = iter(range(1_000_000, 10**12, 5_000))
    functions = {
        'nvmlInit': lambda: None,
        'nvmlShutdown': lambda: None,
        'nvmlDeviceGetCount': lambda: 1,
        'nvmlDeviceGetHandleByIndex': lambda index: f'gpu{index}',
        'nvmlDeviceGetHandleByPciBusId': lambda place: f'gpu at {place}',
        'nvmlDeviceGetHandleByUUID': lambda uuid: uuid,
        'nvmlDeviceGetPciInfo': lambda handle: types.SimpleNamespace(busId='00000000:41:00.0'),
        'nvmlDeviceGetCudaComputeCapability': lambda handle: (9, 0),
        'nvmlDeviceGetName': lambda handle: 'NVIDIA H200',
        'nvmlDeviceGetNumGpuCores': lambda handle: 16896,
        'nvmlDeviceGetMaxClockInfo': lambda handle, kind: {1: 1980, 2: 3201}[kind],
        'nvmlDeviceGetClockInfo': lambda handle, kind: {1: 1755, 2: 3201}[kind],
        'nvmlDeviceGetMemoryBusWidth': lambda handle: 6144,
        'nvmlDeviceGetEnforcedPowerLimit': lambda handle: 700_000,
        'nvmlDeviceGetPowerUsage': lambda handle: 123_400,
        'nvmlDeviceGetTemperature': lambda handle, kind: 31,
        'nvmlSystemGetDriverVersion': lambda: '580.1',
        'nvmlDeviceGetTotalEnergyConsumption': lambda handle: next(energy),
    }
    for name, function in {**functions, **replaced}.items():
        setattr(nvml, name, function)
    return nvml


def kernel_of(layer, instruction):
    return 'conv_wgmma' if layer.startswith('decoder') and instruction != 'mma' else 'conv_mma'


class FakeSession:
    """A session that notes what was asked of it; every layer takes `LAUNCH_MS`."""

    def __init__(self, shapes, formats, instruction=None):
        names = [s.name for s in shapes[:-1]]  # the head is in the last convolution's kernel
        self.formats = formats
        self.launches = [
            Launch(name, 'conv', kernel_of(name, instruction), (1, 1, 1), (32, 1, 1), 0, ())
            for name in ['resize', *names, 'mask']
        ]
        self.memory_bytes = {'parameters': 100, 'activations': 2000, 'frames': 30}
        self.filled, self.ran_with, self.timed_with = {}, [], {False: [], True: []}
        self.enqueued = 0

    def fill(self, index, frame):
        self.filled[index] = frame.copy()

    def run(self):
        self.ran_with.append(self._frames())

    def _frames(self):
        return tuple(self.filled[i].tobytes() for i in range(len(self.formats)))

    def mask(self, index):
        return np.zeros((self.formats[index].height, self.formats[index].width), np.uint8)

    def stage_milliseconds(self):
        return {'resize': 0.1, 'network': 0.5, 'mask': 0.1}

    def enqueue_compute(self):
        self.enqueued += 1

    def synchronize(self):
        pass

    def device_milliseconds(self, repeat, *, transfers=False):
        assert repeat == 1
        self.timed_with[transfers].append(self._frames())
        if len(self.timed_with[transfers]) <= 10:
            return [1000.0]  # the first ones still warm up
        return [2.5 if transfers else 2.0]

    def launch_milliseconds(self, repeat):
        return [(launch, LAUNCH_MS) for launch in self.launches]


class FakeEngine:
    name, device = 'cuda', 'fake GPU (sm_90)'

    def __init__(self, model, *, instruction=None):
        self.model = model
        self.instruction = instruction
        self.sessions, self.segmented, self.closed = [], [], False

    def session(self, formats):
        self.sessions.append(FakeSession(self.model.shapes, formats, self.instruction))
        return self.sessions[-1]

    def segment(self, frames):
        self.segmented.append([frame.tobytes() for frame in frames])

    def close(self):
        self.closed = True
