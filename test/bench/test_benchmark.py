# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import sys
import types

import pytest
from rich.console import Console

import mbu_ros.engine.cuda
from mbu_ros.bench import benchmark, energy
from mbu_ros.bench.benchmark import Settings, ratios, run_benchmark
from mbu_ros.bench.plot import plot
from mbu_ros.bench.report import print_result
from mbu_ros.cli import main
from mbu_ros.commands.bench import BASELINES
from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.model.file import save_model
from mbu_ros.model.random import random_model
from mbu_ros.model.structure import layer_shapes

from .fakes import FakeEngine


def baseline(kind, network, inputs, meter, *, seconds, runs):
    slower = {'graph': 3.0, 'compile': 2.0}[kind]
    times = {'p50': 2.0 * slower, 'p95': 2.0 * slower, 'p99': 2.5 * slower, 'runs': runs}
    used = {'joules_per_frame': slower, 'watts': 500.0, 'idle_watts': 70.0}
    return {
        'title': kind,
        'device_ms': times,
        'wall_ms': times,
        'energy': used if meter else None,
        'memory': {'parameters': 10, 'activations': 30_000},
        'compile_seconds': None,
    }


@pytest.fixture
def machine(nvml, monkeypatch):
    """A machine with an H200, an engine and baselines; returns the engines made."""
    engines = []

    def make(model, *, instruction=None):
        engines.append(FakeEngine(model, instruction=instruction))
        return engines[-1]

    monkeypatch.setattr(mbu_ros.engine.cuda, 'CudaEngine', make, raising=False)
    monkeypatch.setattr(benchmark, '_possible_baselines', lambda wanted: (wanted, []))
    monkeypatch.setattr(energy, 'IDLE_SECONDS', 0.01)
    monkeypatch.setattr(energy, 'WARM_UP_SECONDS', 0.01)
    for name, content in {
        'baseline': {'measure_baseline': baseline},
        'unet_fp16': {'build_fp16': lambda *_: None},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, f'mbu_ros.bench.{name}', module)
    return engines


def settings(**changed):
    names = [s.name for s in layer_shapes(16, 1, 3) if s.is_binary]
    base = {
        'sizes': ((8, 16), (16, 16)),
        'batches': (1, 2),
        'width': 16,
        'depth': 1,
        'classes': 3,
        'plan': dict.fromkeys(names, 1),
        'plan_name': 'one',
        'baselines': ('graph', 'compile'),
        'seconds': 0.1,
        'runs': 20,
    }
    return Settings(**{**base, **changed})


def test_everything_is_measured_and_saved_as_it_comes(machine):
    said, saved = [], []
    result = run_benchmark(settings(), said.append, lambda r: saved.append(len(r['runs'])))
    assert saved == [1, 2, 3, 4]
    assert [(run['size'], run['batch']) for run in result['runs']] == [
        ([8, 16], 1),
        ([8, 16], 2),
        ([16, 16], 1),
        ([16, 16], 2),
    ]
    assert said[:2] == ['16x8, batch 1: the engine', '16x8, batch 1: FP16 U-Net, graph']
    assert len(said) == 12
    assert result['runs'][0]['baselines']['graph']['gpu_state_after']['sm_mhz'] == 1755
    assert all(engine.closed for engine in machine)
    assert machine[0].model.plan == settings().plan and machine[0].model.head.lowest == 0
    assert machine[2].model.input_size == (16, 16)
    assert result['device']['name'] == 'NVIDIA H200'
    assert result['device']['driver'] == '580.1'
    assert set(result['rates']) == {'mma.sync', 'wgmma'}
    assert result['runs'][0]['engine']['energy']['joules_per_frame'] > 0
    assert set(result['runs'][0]['estimates']) == {'orin-agx', 'orin-nx', 'orin-nano'}
    assert result['notes'] == []
    json.dumps(result, allow_nan=False)


def test_the_instruction_asked_for_is_used_and_told(machine, capsys):
    result = run_benchmark(settings(baselines=(), instruction='mma'), print, print)
    assert {engine.instruction for engine in machine} == {'mma'}
    assert result['network']['instruction'] == 'mma'
    print_result(result, Console(width=200))
    assert 'planes: one, with mma' in capsys.readouterr().out
    assert list(result['rates']) == ['mma.sync']  # which floors are then of


def test_a_baseline_that_cannot_run_is_noted(machine, monkeypatch):
    def out_of_memory(kind, *arguments, **options):
        if kind == 'graph':
            raise RuntimeError('CUDA out of memory.\nmore')
        return baseline(kind, *arguments, **options)

    monkeypatch.setattr(sys.modules['mbu_ros.bench.baseline'], 'measure_baseline', out_of_memory)
    result = run_benchmark(settings(sizes=((8, 16),), batches=(1,)), print, print)
    assert list(result['runs'][0]['baselines']) == ['compile']
    assert result['runs'][0]['ratios']['against'] == 'compile'
    (note,) = result['notes']
    assert note == '16x8, batch 1: FP16 U-Net, graph, could not run: CUDA out of memory.'


def test_tables_fit_80_columns_and_shares_are_of_the_lowest_floor(machine, capsys):
    result = run_benchmark(settings(sizes=((1024, 2048),), batches=(4,)), print, print)
    times = {'p50': 147.456, 'p95': 147.456, 'p99': 147.456}
    run = result['runs'][0]
    for entry in (run['engine'], *run['baselines'].values()):
        entry |= {'device_ms': times, 'wall_ms': times}
        entry['energy'] = {'joules_per_frame': 18.2191, 'watts': 1000.0}
        entry['memory'] = {'activations': 12_345_600_000}
    row = next(row for row in run['engine']['layers'] if row['layer'] == 'decoder.0.conv1')
    row['ms'], row['binary_operations'] = 1.5, 9_876_543_210_000
    row['floors']['mma.sync'] |= {'ms': 2.0, 'share': 4 / 3}
    row['floors']['wgmma'] |= {'ms': 1.0, 'share': 2 / 3, 'bound': 'operations'}
    capsys.readouterr()
    print_result(result, Console(width=80, color_system=None), ['orin-agx'])
    text = capsys.readouterr().out
    assert '…' not in text
    line = next(line for line in text.splitlines() if 'decoder.0.conv1' in line)
    assert line.split()[1:4] == ['1500', 'wgmma', '9877']
    assert line.split()[5:] == ['1000', 'operations', '67%']


def test_an_engine_is_closed_whatever_happens(machine, monkeypatch):
    monkeypatch.setattr(FakeEngine, 'segment', lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_benchmark(settings(), print, print)
    assert machine[0].closed


def test_ratios_are_against_the_fastest_baseline():
    ours = {
        'device_ms': {'p50': 1.0},
        'wall_ms': {'p50': 4.0},
        'energy': {'joules_per_frame': 0.5},
        'memory': {'parameters': 100, 'activations': 800, 'frames': 100},
    }
    both = {
        kind: baseline(kind, None, None, True, seconds=1, runs=1) for kind in ('graph', 'compile')
    }
    assert ratios(ours, both) == {
        'against': 'compile',
        'device_ms': 4.0,
        'wall_ms': 1.0,
        'energy': 4.0,
        'memory': 30.0,
    }
    assert ratios(ours, {}) is None
    assert ratios({**ours, 'energy': None}, both)['energy'] is None


def test_without_torch_the_engine_is_timed_alone(monkeypatch):
    monkeypatch.setattr(benchmark.importlib.util, 'find_spec', lambda name: None)
    kinds, notes = benchmark._possible_baselines(('graph', 'compile'))
    assert kinds == () and 'pip install' in notes[0]
    assert benchmark._possible_baselines(()) == ((), [])


def test_without_nvml_there_are_times_and_notes(machine, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'pynvml', None)
    result = run_benchmark(settings(baselines=()), print, print)
    run = result['runs'][0]
    assert run['engine']['energy'] is None and run['ratios'] is None and run['estimates'] == {}
    assert result['device']['name'] == 'fake GPU (sm_90)'
    assert len(result['notes']) == 3
    print_result(result, Console(width=200))
    text = capsys.readouterr().out
    assert 'Note: energy was not measured' in text and 'encoder.0.conv2' in text


def test_tables_picture_and_json(machine, tmp_path, capsys):
    result = run_benchmark(settings(), print, print)
    capsys.readouterr()
    print_result(result, Console(width=200, color_system=None), ['orin-agx'])
    text = capsys.readouterr().out
    row = next(line for line in text.splitlines() if 'FP16 U-Net, compile' in line)
    assert row.split()[3:] == ['4.000', '5.000', '4.000', '5.000', '2000', '500', '0.0']
    assert 'compile over MBU' in text and '2.00x' in text
    assert 'host overhead' in text
    assert 'decoder.0.conv2+head' in text
    assert text.count('ESTIMATE for Jetson AGX Orin') == 4
    pytest.importorskip('matplotlib', reason='matplotlib is not installed')
    assert plot(tmp_path / 'bench.png', result)
    assert (tmp_path / 'bench.png').read_bytes().startswith(b'\x89PNG')


def test_without_matplotlib_there_is_no_picture(machine, tmp_path, monkeypatch):
    result = run_benchmark(settings(baselines=()), print, print)
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    assert plot(tmp_path / 'bench.png', result) is False
    assert not (tmp_path / 'bench.png').exists()


def bench(tmp_path, *arguments):
    return main(['bench', '--out', str(tmp_path / 'out'), *arguments])


def test_the_command_writes_what_it_measured(machine, tmp_path, capsys):
    options = '--size 16x8 --batch 1 --batch 1 --width 16 --depth 1 --plan one --seconds 0.1'
    assert bench(tmp_path, *options.split(), '--no-baseline') == 0
    result = json.loads((tmp_path / 'out' / 'bench.json').read_text())
    assert [(run['size'], run['batch']) for run in result['runs']] == [([8, 16], 1)]
    assert result['runs'][0]['engine']['device_ms']['runs'] >= 200
    assert result['network'] == {
        'width': 16,
        'depth': 1,
        'classes': 11,
        'plan_name': 'one',
        'plan': dict.fromkeys(
            [
                'encoder.0.conv2',
                'encoder.1.conv1',
                'encoder.1.conv2',
                'up.0',
                'decoder.0.conv1',
                'decoder.0.conv2',
            ],
            1,
        ),
        'instruction': None,
    }
    assert str(tmp_path / 'out' / 'bench.json') in capsys.readouterr().out


def test_a_model_gives_shape_and_plan(machine, tmp_path):
    model = random_model(width=16, depth=1, classes=4, seed=5)
    save_model(model, tmp_path / 'a.safetensors')
    options = ['--size', '16x16', '--batch', '1', '--no-baseline', '--seconds', '0.1']
    assert bench(tmp_path, '--model', str(tmp_path / 'a.safetensors'), *options) == 0
    network = json.loads((tmp_path / 'out' / 'bench.json').read_text())['network']
    assert (network['width'], network['depth'], network['classes']) == (16, 1, 4)
    assert network['plan'] == model.plan == machine[0].model.plan


@pytest.mark.parametrize(
    ('arguments', 'error'),
    [
        (['--size', '512'], 'is not WIDTHxHEIGHT'),
        (['--batch', '0'], 'at least 1'),
        (['--width', 'x'], 'whole number'),
        (['--seconds', '-1'], 'not a number of seconds'),
        (['--seconds', 'nan'], 'not a number of seconds'),
        (['--baseline', 'fast'], 'invalid choice'),
        (['--estimate', 'xavier'], 'invalid choice'),
    ],
)
def test_bad_arguments_are_refused_at_once(tmp_path, capsys, arguments, error):
    with pytest.raises(SystemExit) as exit_info:
        bench(tmp_path, *arguments)
    assert exit_info.value.code == 2
    assert error in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'error'),
    [
        (['--model', 'synthetic', '--width', '16'], '--model and --width exclude each other'),
        (['--model', 'no such'], "no model 'no such'"),
        (['--plan', 'three'], "no model 'three'"),
        (['--plan', 'synthetic', '--depth', '2'], 'add --depth 4'),
        (['--width', '1024'], '--width 1024: 512 at most'),
        (['--classes', '255'], '--classes 255: 254 at most'),
        (['--batch', '1', '--batch', '9'], '--batch 9: 8 at most'),
    ],
)
def test_what_does_not_go_together_is_said(tmp_path, capsys, arguments, error):
    assert bench(tmp_path, *arguments) == 2
    assert error in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_an_output_folder_that_is_a_file_is_refused_before_the_work(machine, tmp_path, capsys):
    (tmp_path / 'out').write_text('')
    assert bench(tmp_path) == 2
    assert 'is a file; name a folder' in capsys.readouterr().err
    assert machine == []


def test_without_an_engine_there_is_one_line(nvml, tmp_path, monkeypatch, capsys):
    def refuse(model, *, instruction=None):
        raise EngineUnavailable('PyCUDA is not installed')

    monkeypatch.setattr(mbu_ros.engine.cuda, 'CudaEngine', refuse, raising=False)
    assert bench(tmp_path, '--size', '16x16', '--width', '16', '--no-baseline') == 2
    assert capsys.readouterr().err == 'mbu: PyCUDA is not installed\n'


def test_the_baselines_are_those_that_exist():
    pytest.importorskip('torch', reason='PyTorch is not installed')
    from mbu_ros.bench.baseline import TITLES

    assert {kind for kinds in BASELINES.values() for kind in kinds} == set(TITLES)
