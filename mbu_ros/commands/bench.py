# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Time the CUDA engine beside FP16 U-Nets on this GPU: latency, energy, memory, layer by layer.

The network is a random one of the given shape and mask plan. Writes bench.json and bench.png. The
first use of torch.compile at a size takes minutes; --baseline graph does without it.

With --ros, time the node instead, on a GPU or a CPU: from an image published in one process to its
mask in another, stage by stage, beside a node that only copies. Writes ros.json.

With --ros --cameras N --rate HZ, send it the images of so many cameras at once: what is sustained,
dropped, and how fairly. Writes load.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from mbu_ros.bench.benchmark import Settings, run_benchmark
from mbu_ros.bench.load_report import print_load
from mbu_ros.bench.orin import ORIN
from mbu_ros.bench.plot import plot
from mbu_ros.bench.report import print_result
from mbu_ros.bench.ros_benchmark import RosSettings, run_ros_benchmark
from mbu_ros.bench.ros_load import LoadSettings, run_ros_load
from mbu_ros.bench.ros_report import print_ros_result
from mbu_ros.commands.arguments import count, size
from mbu_ros.data.sample import IGNORE
from mbu_ros.engine.cuda.engine import MAX_BATCH
from mbu_ros.engine.select import ENGINES
from mbu_ros.errors import InputError
from mbu_ros.evaluation.report.report import write_json
from mbu_ros.model.catalog import find_model
from mbu_ros.model.file import MAX_DEPTH, MAX_WIDTH, load_model
from mbu_ros.model.structure import layer_shapes

BASELINES = {'both': ('graph', 'compile'), 'graph': ('graph',), 'compile': ('compile',), 'none': ()}
SIZES, BATCHES = ((512, 512), (1024, 2048)), (1, 4)
ROS_SIZES, ROS_MODEL = ((480, 640), (1080, 1920), (1024, 2048)), 'synthetic'
LOAD_SIZE, LOAD_RATE, MOST_CAMERAS, HIGHEST_RATE = (720, 1280), 30.0, 64, 1000.0
WIDTH, DEPTH, CLASSES = 64, 4, 11


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `mbu bench`."""
    parser.add_argument(
        '--size',
        type=size,
        action='append',
        metavar='WIDTHxHEIGHT',
        help='of frames and network; repeat for several (default: 512x512 and 2048x1024; with '
        '--ros 640x480, 1920x1080 and 2048x1024)',
    )
    parser.add_argument(
        '--batch',
        type=count,
        action='append',
        metavar='N',
        help='frames in a batch; repeat for several (default: 1 and 4)',
    )
    parser.add_argument(
        '--model',
        metavar='NAME_OR_PATH',
        help="take this model's width, depth, classes and plan; with --ros, run this model "
        f'({ROS_MODEL}, unless a shape is given)',
    )
    parser.add_argument('--width', type=count, help=f'channels of the first level ({WIDTH})')
    parser.add_argument('--depth', type=count, help=f'number of poolings ({DEPTH})')
    parser.add_argument('--classes', type=count, help=f'number of classes ({CLASSES})')
    parser.add_argument(
        '--plan',
        metavar='PLAN',
        help="'two' or 'one' plane in all hidden layers, or a model whose plan to take (two)",
    )
    parser.add_argument(
        '--instruction',
        choices=('mma', 'wgmma'),
        help='what the engine multiplies with, where the GPU has both (default: the faster)',
    )
    parser.add_argument(
        '--baseline',
        choices=BASELINES,
        default='both',
        help='which FP16 U-Nets to time too; they need PyTorch (default: both)',
    )
    parser.add_argument(
        '--no-baseline', dest='baseline', action='store_const', const='none', help='none of them'
    )
    parser.add_argument(
        '--seconds',
        type=_seconds,
        default=2.0,
        help='length of each energy measurement, or of each rate tried (default: 2)',
    )
    parser.add_argument(
        '--estimate',
        choices=tuple(ORIN),
        action='append',
        default=[],
        help='show the estimate for this Jetson too (bench.json has all of them)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('bench_output'),
        metavar='DIR',
        help='folder of what is written (default: bench_output)',
    )
    parser.add_argument('--ros', action='store_true', help='time the node, through ROS')
    parser.add_argument(
        '--engine', choices=ENGINES, default='auto', help='with --ros: what runs (default: auto)'
    )
    parser.add_argument(
        '--frames',
        type=count,
        default=100,
        metavar='N',
        help='with --ros: frames whose latency counts (default: 100)',
    )
    parser.add_argument(
        '--cameras',
        type=count,
        metavar='N',
        help='with --ros: so many at once, at a fixed rate, with images of --size (1280x720)',
    )
    parser.add_argument(
        '--rate', type=_rate, metavar='HZ', help='with --cameras: of each of them (default: 30)'
    )


def run(args: argparse.Namespace) -> int:
    """Measure, print the tables and write the files; returns 0."""
    settings = _settings(args)
    if args.out.exists() and not args.out.is_dir():  # said before the work, not after it
        raise InputError(f'--out {args.out} is a file; name a folder')
    console = Console(highlight=False)
    begin = time.monotonic()

    def say(what: str) -> None:
        console.print(f'{time.monotonic() - begin:6.1f} s  {what}', markup=False)

    if args.rate and not args.cameras or args.cameras and not args.ros:
        raise InputError('--rate needs --cameras, and --cameras needs --ros')
    if args.cameras:
        return _run_load(args, console, say)
    if args.ros:
        return _run_ros(args, settings, console, say)
    path = args.out / 'bench.json'
    # Saved after each size and batch, so that an interrupted run leaves what it has.
    result = run_benchmark(settings, say, lambda result: write_json(path, result))
    say('done')
    print_result(result, console, args.estimate)
    print(path)
    picture = args.out / 'bench.png'
    if plot(picture, result):
        print(picture)
    else:
        print("No picture: matplotlib is not installed; pip install 'mbu_ros[bench]'")
    return 0


def _run_ros(
    args: argparse.Namespace, settings: Settings, console: Console, say: Callable[[str], None]
) -> int:
    for option in ('batch', 'instruction', 'estimate'):
        if getattr(args, option):
            raise InputError(f'--{option} is of no use with --ros; leave it out')
    has_shape = any((args.width, args.depth, args.classes, args.plan))
    model = None if has_shape else args.model or ROS_MODEL
    if model is not None:
        load_model(find_model(model))  # a bad one is said before the work
    path = args.out / 'ros.json'
    result = run_ros_benchmark(
        RosSettings(
            sizes=tuple(dict.fromkeys(args.size or ROS_SIZES)),
            model=model,
            shape={
                'width': settings.width,
                'depth': settings.depth,
                'classes': settings.classes,
                'plan': settings.plan,
            },
            engine=args.engine,
            frames=args.frames,
            seconds=args.seconds,
        ),
        say,
        lambda result: write_json(path, result),
    )
    say('done')
    print_ros_result(result, console)
    print(path)
    return 0


def _run_load(args: argparse.Namespace, console: Console, say: Callable[[str], None]) -> int:
    if any((args.batch, args.instruction, args.width, args.depth, args.classes, args.plan)):
        raise InputError('with --cameras, only --model, --engine, --size and --seconds are of use')
    if len(args.size or ()) > 1 or args.cameras > MOST_CAMERAS:
        raise InputError(f'--cameras: {MOST_CAMERAS} at most, with one --size')
    path = find_model(args.model or ROS_MODEL)
    load_model(path)  # a bad one is said before the work
    (size,) = args.size or [LOAD_SIZE]
    result = run_ros_load(
        LoadSettings(
            args.cameras, args.rate or LOAD_RATE, size, str(path), args.engine, args.seconds
        ),
        say,
    )
    say('done')
    written = args.out / 'load.json'
    write_json(written, result)
    print_load(result, console)
    print(written)
    return 0


def _settings(args: argparse.Namespace) -> Settings:
    width, depth, classes = args.width, args.depth, args.classes
    plan = args.plan
    if args.model is not None:
        given = {'--width': width, '--depth': depth, '--classes': classes, '--plan': plan}
        for option, value in given.items():
            if value is not None:
                raise InputError(f'--model and {option} exclude each other')
        model = load_model(find_model(args.model))
        width, depth, classes = model.width, model.depth, len(model.classes)
        plan = args.model
    width, depth = width or WIDTH, depth or DEPTH
    classes = classes or CLASSES
    for option, value, most in (
        ('--width', width, MAX_WIDTH),
        ('--depth', depth, MAX_DEPTH),
        ('--classes', classes, IGNORE - 1),
        ('--batch', max(args.batch or BATCHES), MAX_BATCH),
    ):
        if value > most:
            raise InputError(f'{option} {value}: {most} at most')
    return Settings(
        sizes=tuple(dict.fromkeys(args.size or SIZES)),
        batches=tuple(dict.fromkeys(args.batch or BATCHES)),
        width=width,
        depth=depth,
        classes=classes,
        plan=_plan(plan or 'two', depth),
        plan_name=plan or 'two',
        baselines=BASELINES[args.baseline],
        seconds=args.seconds,
        instruction=args.instruction,
    )


def _plan(name: str, depth: int) -> dict[str, int]:
    # Names of layers depend on the depth alone.
    names = [shape.name for shape in layer_shapes(1, depth, 1) if shape.is_binary]
    if name in ('one', 'two'):
        return dict.fromkeys(names, 1 if name == 'one' else 2)
    model = load_model(find_model(name))
    if model.depth != depth:
        raise InputError(
            f'--plan {name}: that model has depth {model.depth}, not {depth}; '
            f'add --depth {model.depth}'
        )
    return model.plan


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 600:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number of seconds from 0.1 to 600')
    return value


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= HIGHEST_RATE:
        raise argparse.ArgumentTypeError(f'{text!r} is not a rate up to {HIGHEST_RATE:.0f} Hz')
    return value
