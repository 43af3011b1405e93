# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole benchmark: sizes, batches, engine and baselines, as one result."""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from mbu_ros import __version__
from mbu_ros.bench.energy import Meter
from mbu_ros.bench.floor import Network, Work
from mbu_ros.bench.gpu import NvmlGpu, jetson_facts, open_meter, open_nvml
from mbu_ros.bench.inputs import random_batches
from mbu_ros.bench.orin import ORIN, estimate
from mbu_ros.bench.rates import MMA, GpuFacts, Rates, rates_of
from mbu_ros.bench.timing import RUNS
from mbu_ros.model.random import random_model

SCHEMA_VERSION = 1
PACKAGES = ('numpy', 'torch', 'triton', 'pycuda', 'cuda-bindings', 'nvidia-ml-py')


@dataclass(frozen=True)
class Settings:
    """What to measure.

    Attributes:
        sizes: (height, width) of frames and of the network's input.
        batches: numbers of frames in a batch.
        width, depth, classes: of the network.
        plan: planes per binary layer.
        plan_name: what the plan is called, for people.
        baselines: of `baseline.TITLES`, in order.
        seconds: length of each energy measurement.
        runs: timed runs of each thing.
        instruction: 'mma' or 'wgmma' for the engine to use; the faster that the GPU has if None.
    """

    sizes: tuple[tuple[int, int], ...]
    batches: tuple[int, ...]
    width: int
    depth: int
    classes: int
    plan: Mapping[str, int]
    plan_name: str
    baselines: tuple[str, ...]
    seconds: float = 2.0
    runs: int = RUNS
    instruction: str | None = None


def run_benchmark(
    settings: Settings, say: Callable[[str], object], save: Callable[[dict], object]
) -> dict:
    """Measure everything on the first GPU.

    Args:
        say: told in a few words what comes next.
        save: given the result so far after each size and batch.

    Returns:
        The result, ready for JSON. Times are in milliseconds of a whole batch, energy is of a
        frame, memory in bytes, rates per second. By key:
        schema_version, mbu_ros, time  of this file's form, the package, and when (UTC)
        device    'name', then what is known of `rates.GpuFacts` and, before, `NvmlGpu.state`
        software  versions of Python and `PACKAGES`; None where not installed
        network   width, depth, classes, plan_name, plan, instruction: see `Settings`
        rates     by instruction, `rates.Rates`: what floors are made of; empty for unknown GPUs
        notes     what could not be measured, in words
        runs      for each size and batch: 'size' (height, width), 'batch', 'engine'
                  (`mbu_engine.measure_engine`, with 'device'), 'baselines' by kind
                  (`baseline.measure_baseline`), 'ratios' (`ratios`), 'estimates' by board
                  (`orin.estimate`); engine and baselines have 'gpu_state_after' too, for clocks

    Raises:
        EngineUnavailable: the CUDA engine cannot run here.
    """
    baselines, notes = _possible_baselines(settings.baselines)
    with open_nvml() as (gpu, no_nvml), open_meter(gpu) as (meter, no_meter):
        facts = jetson_facts() or (gpu.facts() if gpu is not None else None)
        rates = rates_of(facts) if facts is not None else {}
        if settings.instruction == 'mma':  # so that is what the floors are of
            rates = {path: one for path, one in rates.items() if path == MMA}
        notes += [f'energy was not measured: {no_meter}'] if meter is None else []
        notes += [f'no driver and clocks: {no_nvml}'] if gpu is None else []
        notes += [] if rates else ['no floors: the rates of this GPU are not known']
        result = _header(settings, facts, rates, gpu, notes)
        for size in settings.sizes:
            for batch in settings.batches:
                label = f'{size[1]}x{size[0]}, batch {batch}'
                say(f'{label}: the engine')
                ours = _measure_engine(settings, size, batch, meter, rates)
                ours['gpu_state_after'] = gpu.state() if gpu is not None else None
                measured = {}
                for kind in baselines:
                    say(f'{label}: FP16 U-Net, {kind}')
                    try:
                        measured[kind] = _measure_baseline(settings, kind, size, batch, meter)
                    except RuntimeError as error:  # such as too little memory, or no C compiler
                        reason = (str(error).splitlines() or [type(error).__name__])[0]
                        notes.append(f'{label}: FP16 U-Net, {kind}, could not run: {reason}')
                        continue
                    measured[kind]['gpu_state_after'] = gpu.state() if gpu is not None else None
                run = {
                    'size': list(size),
                    'batch': batch,
                    'engine': ours,
                    'baselines': measured,
                    'ratios': ratios(ours, measured),
                    'estimates': _estimates(ours['layers'], rates),
                }
                result['runs'].append(run)
                result['device']['name'] = facts.name if facts else run['engine']['device']
                save(result)
    return result


def _possible_baselines(wanted: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    if not wanted:
        return (), []
    if importlib.util.find_spec('torch') is None:
        return (), ["no FP16 baselines: PyTorch is not installed; pip install 'mbu_ros[torch]'"]
    import torch

    if not torch.cuda.is_available():
        return (), ['no FP16 baselines: this PyTorch sees no GPU; install a CUDA build of it']
    return wanted, []


def _header(
    settings: Settings,
    facts: GpuFacts | None,
    rates: Mapping[str, Rates],
    gpu: NvmlGpu | None,
    notes: list[str],
) -> dict:
    state = gpu.state() if gpu is not None else {'driver': None}
    return {
        'schema_version': SCHEMA_VERSION,
        'mbu_ros': __version__,
        'time': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
        'device': {'name': None, **(asdict(facts) if facts else {}), **state},
        'software': {'python': platform.python_version(), **_versions()},
        'network': {
            'width': settings.width,
            'depth': settings.depth,
            'classes': settings.classes,
            'plan_name': settings.plan_name,
            'plan': dict(settings.plan),
            'instruction': settings.instruction,
        },
        'rates': {path: asdict(one) for path, one in rates.items()},
        'notes': notes,
        'runs': [],
    }


def _versions() -> dict[str, str | None]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return versions


def _measure_engine(
    settings: Settings,
    size: tuple[int, int],
    batch: int,
    meter: Meter | None,
    rates: Mapping[str, Rates],
) -> dict:
    from mbu_ros.bench.mbu_engine import measure_engine
    from mbu_ros.engine.cuda import CudaEngine

    network = Network(
        settings.width, settings.depth, settings.classes, settings.plan, size, batch
    )
    model = random_model(
        width=settings.width,
        depth=settings.depth,
        classes=settings.classes,
        input_size=size,
        plan=dict(settings.plan),
        lowest=0,  # as networks are trained by default
    )
    engine = CudaEngine(model, instruction=settings.instruction)
    try:
        ours = measure_engine(
            engine,
            network,
            random_batches(batch, size),
            meter,
            rates,
            seconds=settings.seconds,
            runs=settings.runs,
        )
        return {**ours, 'device': engine.device}
    finally:
        engine.close()


def _measure_baseline(
    settings: Settings, kind: str, size: tuple[int, int], batch: int, meter: Meter | None
) -> dict:
    from mbu_ros.bench.baseline import measure_baseline
    from mbu_ros.bench.unet_fp16 import build_fp16

    network = build_fp16(settings.width, settings.depth, settings.classes)
    inputs = random_batches(batch, size)
    return measure_baseline(
        kind, network, inputs, meter, seconds=settings.seconds, runs=settings.runs
    )


def ratios(ours: dict, baselines: Mapping[str, dict]) -> dict | None:
    """How many times the baseline takes of what the engine takes; None without baselines.

    'device_ms', 'wall_ms', 'energy' (None where not measured) and 'memory', each of the baseline
    that is fastest on the device, named by 'against'. Memory is the baseline's activations alone
    over parameters, activations and frames of the engine.
    """
    if not baselines:
        return None
    kind = min(baselines, key=lambda k: baselines[k]['device_ms']['p50'])
    best = baselines[kind]
    energy = None
    if ours['energy'] and best['energy']:
        energy = best['energy']['joules_per_frame'] / ours['energy']['joules_per_frame']
    return {
        'against': kind,
        'device_ms': best['device_ms']['p50'] / ours['device_ms']['p50'],
        'wall_ms': best['wall_ms']['p50'] / ours['wall_ms']['p50'],
        'energy': energy,
        'memory': best['memory']['activations'] / sum(ours['memory'].values()),
    }


def _estimates(layers: list[dict], rates: Mapping[str, Rates]) -> dict:
    if not rates:
        return {}
    measured = [
        (
            row['layer'],
            Work(row['binary_operations'], row['int8_operations'], row['bytes']),
            row['ms'],
            rates[row['path']],
        )
        for row in layers
    ]
    return {board: estimate(measured, board) for board in ORIN}
