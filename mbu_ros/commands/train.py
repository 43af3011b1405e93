# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Train float and quantised networks from scratch on the same data, and print their table.

Under `torchrun --nproc-per-node N -m -- mbu_ros.cli train ...` on N GPUs at once; without the `--`
torchrun takes --start for an abbreviation of options of its own.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mbu_ros.commands.arguments import DefaultsFormatter
from mbu_ros.commands.data_arguments import (
    add_data_arguments,
    choose_device,
    load_data,
    require_torch,
)
from mbu_ros.errors import InputError

if TYPE_CHECKING:
    from mbu_ros.training.datasets import TrainingData
    from mbu_ros.training.distributed import Ranks
    from mbu_ros.training.run import Run
    from mbu_ros.training.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    parser.formatter_class = DefaultsFormatter
    add_data_arguments(parser, required=True)
    parser.add_argument(
        '--eval-split',
        choices=('val', 'test'),
        default='val',
        help='the split to evaluate on; --val-scenes counts its scenes',
    )
    parser.add_argument('--out', type=Path, required=True, help='folder of the run')
    parser.add_argument('--name', help='name of the models (default: that of the data)')
    parser.add_argument(
        '--recipe',
        default='standard',
        help="how to train: 'standard', 'quick' for a first result within minutes, or 'patient', "
        'which pastes frames into each other and teaches students without labels, for few frames '
        'and more time',
    )
    parser.add_argument(
        '--set',
        metavar='KEY=VALUE',
        action='append',
        dest='values',
        help='change one value of the recipe; may be given again (an unknown key: lists them)',
    )
    parser.add_argument(
        '--networks',
        metavar='NAMES',
        help='which networks to train, separated by commas (default: float, float_longer, masked, '
        'chosen, binary)',
    )
    parser.add_argument(
        '--minutes',
        type=float,
        default=10.0,
        help='time of the training steps of all networks together; compiling and evaluation come '
        'on top',
    )
    parser.add_argument(
        '--budget',
        type=float,
        default=1.5,
        help="operations that the network 'chosen' may have, over those of 'binary'",
    )
    parser.add_argument(
        '--width',
        type=int,
        help='channels of the first level (default: 16, or that of --start or --plan)',
    )
    parser.add_argument(
        '--depth', type=int, help='number of poolings (default: 4, or as --width)'
    )
    parser.add_argument(
        '--start',
        metavar='MODEL|RUN',
        help="a deployed model, by name or path, that the network 'masked' goes on from, or, where "
        "that is not among --networks, 'chosen', with the model's planes; or the folder of a run "
        "whose networks 'float', 'masked' and 'chosen' go on; without it, 'float' starts from "
        "random weights and 'masked' from the float network",
    )
    parser.add_argument(
        '--keep',
        metavar='NAMES',
        help='networks of the run in --start to take over as they are, separated by commas, such '
        'as a float network for a student that goes on; they take none of the time',
    )
    parser.add_argument(
        '--plan',
        metavar='MODEL',
        help="a deployed model, by name or path, with whose planes 'chosen' is trained, instead of "
        "those with the best gain per cost; without 'masked' it then starts from the float network",
    )
    parser.add_argument(
        '--teachers',
        metavar='RUN|MODEL',
        nargs='+',
        default=(),
        help='folders of runs on the same data whose float networks teach the quantised ones, and '
        "deployed models that do, by name or path: by the mean of all teachers' logits; without "
        "'float' among --networks they alone do",
    )
    parser.add_argument('--batch', help='frames per step, short for --set batch=')
    parser.add_argument(
        '--learning-rate',
        metavar='RATE',
        help='at the start of a stage, short for --set learning_rate=',
    )
    parser.add_argument('--seed', type=int, default=0, help='of weights, order and augmentation')
    parser.add_argument(
        '--device', choices=('auto', 'cuda', 'cpu'), default='auto', help='auto: cuda if there'
    )
    parser.add_argument(
        '--resume', action='store_true', help='go on with the run in --out, if there is one'
    )


def run(args: argparse.Namespace) -> int:
    """Train, print the table and where everything is; returns 0."""
    require_torch()
    from mbu_ros.training.distributed import open_ranks

    device = choose_device(args.device)
    with open_ranks(device) as ranks:
        if not ranks.first:
            logging.getLogger('mbu_ros').setLevel(logging.ERROR)  # rank 0 gives the same warnings
        settings = ranks.from_first(lambda: _settings(args))
        ranks.from_first(lambda: _check_out(args, settings))
        console = Console(highlight=False, quiet=not ranks.first)
        with console.status('loading data'):
            data = ranks.from_first(lambda: load_data(args, args.eval_split))
        processes = '' if ranks.count == 1 else f' with {ranks.count} processes'
        console.print(
            f'{data.name}: {len(data.train)} frames to train on, {len(data.val)} of '
            f'{data.eval_split} to evaluate, '
            f'{data.train.images.shape[2]}x{data.train.images.shape[1]}; on {device}{processes}',
            markup=False,
            soft_wrap=True,
        )
        trained = _open_run(args, settings, data, ranks)
        for name in data.absent_classes:
            console.print(
                f'warning: the class {name!r} never occurs in the train split; no network will '
                'learn it',
                markup=False,
                soft_wrap=True,
            )
        _train(trained, data, ranks, console)
        if ranks.first:
            _show(trained, console)
    return 0


def _settings(args: argparse.Namespace) -> Settings:
    from mbu_ros.training.networks import NETWORKS
    from mbu_ros.training.recipe import RECIPES
    from mbu_ros.training.settings import Settings
    from mbu_ros.training.start import check_start, start_size

    if args.recipe not in RECIPES:
        raise InputError(
            f'no recipe {args.recipe!r}; choose one of: '
            + '; '.join(f'{name}, {recipe.description}' for name, recipe in RECIPES.items())
        )
    values = list(args.values or ())
    if args.batch is not None:
        values.append(f'batch={args.batch}')
    if args.learning_rate is not None:
        values.append(f'learning_rate={args.learning_rate}')
    networks = tuple(NETWORKS) if args.networks is None else _names(args.networks)
    keep = () if args.keep is None else _names(args.keep)
    width, depth = start_size(args.start, args.plan, args.width, args.depth)
    settings = Settings(
        recipe=RECIPES[args.recipe].with_values(values),
        width=width,
        depth=depth,
        minutes=args.minutes,
        seed=args.seed,
        networks=networks,
        budget=args.budget,
        start=args.start,
        keep=keep,
        plan=args.plan,
        teachers=tuple(args.teachers),
    )
    check_start(settings)
    return settings


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(','))


def _check_out(args: argparse.Namespace, settings: Settings) -> None:
    """Say now what is wrong with --out and --name, not when the data is loaded."""
    from mbu_ros.training.deployment import check_name
    from mbu_ros.training.run import RUN_FILE, Run

    if args.name is not None:
        check_name(args.name)
    if (args.out / RUN_FILE).exists():
        if not args.resume:
            raise InputError(
                f'{args.out} has a run already; add --resume to go on with it, or choose another '
                '--out'
            )
        Run(args.out).check_settings(settings)


def _open_run(
    args: argparse.Namespace, settings: Settings, data: TrainingData, ranks: Ranks
) -> Run:
    """The run in --out, begun by rank 0 where there is none."""
    from mbu_ros.training.all_networks import check_settings
    from mbu_ros.training.deployment import check_name
    from mbu_ros.training.run import RUN_FILE, Run, describe
    from mbu_ros.training.start import check_kept
    from mbu_ros.training.teachers import check_teachers

    def begin() -> None:
        check_settings(data, settings, ranks.count)
        identity = describe(data, ranks.device.type, ranks.count)
        if (args.out / RUN_FILE).exists():
            Run(args.out).check_data(identity)
        else:
            check_kept(settings, identity)
            check_teachers(settings, identity)
            Run.create(args.out, check_name(args.name or data.name), settings, identity)

    ranks.from_first(begin)
    return Run(args.out)


def _train(trained: Run, data: TrainingData, ranks: Ranks, console: Console) -> None:
    from mbu_ros.training.all_networks import AllNetworks, Listener

    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn('{task.fields[loss]}'),
    )
    split = data.eval_split
    with _explained(trained, ranks), Progress(*columns, console=console) as bars:
        tasks = {}

        def step(network: str, stage: str, share: float, loss: float) -> None:
            name = network if stage == 'float' else f'{network}, {stage}'
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=1.0, loss='')
            bars.update(
                tasks[name], completed=share, loss='' if math.isnan(loss) else f'loss {loss:.3f}'
            )

        def ended(network: str) -> None:
            result = trained.results[network]
            figures = [f'{network}: {split} mIoU {result["miou"]:.4f}']
            if result['agreement'] is not None:
                figures.append(
                    f'trained and integer network agree on {100 * result["agreement"]:.4f}% of '
                    'pixels'
                )
            rate = result['images_per_second']
            figures.append(f'{result["steps"]} steps' + (f', {rate:.0f} images/s' if rate else ''))
            console.print('; '.join(figures), markup=False, soft_wrap=True)

        def say(text: str) -> None:
            console.print(text, markup=False, soft_wrap=True)

        listener = Listener(say, step, ended)
        AllNetworks(trained, data, ranks, listener).train()


def _show(trained: Run, console: Console) -> None:
    from mbu_ros.training.records import run_table
    from mbu_ros.training.table_text import print_table

    print_table(run_table(trained), console)
    written = ['table.md', 'table.json', 'curves.png', 'samples.png']
    written += [path.name for path in sorted(trained.folder.glob('*.safetensors'))]
    there = [name for name in written if (trained.folder / name).exists()]
    console.print(f'in {trained.folder}: {", ".join(there)}', markup=False, soft_wrap=True)


@contextmanager
def _explained(trained: Run, ranks: Ranks) -> Iterator[None]:
    """Say on Ctrl-C how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if ranks.first:
            print(f'{trained.folder} is kept: go on with --resume', file=sys.stderr)
        raise
