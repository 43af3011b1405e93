# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Train a model: a float teacher, then binary activations, then masked binary weights."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mbu_ros.commands.arguments import DefaultsFormatter
from mbu_ros.commands.data_arguments import add_data_arguments, load_data, require_torch
from mbu_ros.errors import InputError
from mbu_ros.model.file import save_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    parser.formatter_class = DefaultsFormatter
    add_data_arguments(parser, required=True)
    parser.add_argument('--out', type=Path, required=True, help='folder for checkpoint and model')
    parser.add_argument('--name', help='name of the model (default: that of the data)')
    parser.add_argument(
        '--minutes', type=float, default=10.0, help='time budget of the training steps'
    )
    parser.add_argument('--width', type=int, default=16, help='channels of the first level')
    parser.add_argument('--depth', type=int, default=4, help='number of poolings')
    parser.add_argument(
        '--masked',
        default='all',
        help="layers with weights of 0, and so two planes: 'all', 'none' or patterns such as "
        "'encoder.*,up.0'",
    )
    parser.add_argument('--batch', type=int, default=8, help='frames per step')
    parser.add_argument(
        '--learning-rate', type=float, default=1e-3, metavar='RATE', help='at the start of a stage'
    )
    parser.add_argument('--seed', type=int, default=0, help='of weights, order and augmentation')
    parser.add_argument(
        '--device', choices=('auto', 'cuda', 'cpu'), default='auto', help='auto: cuda if there'
    )
    parser.add_argument(
        '--resume', action='store_true', help='go on from the checkpoint in --out, if there is one'
    )


def run(args: argparse.Namespace) -> int:
    """Train and write OUT/checkpoint.pt and OUT/NAME.safetensors; returns 0."""
    require_torch()
    import torch

    from mbu_ros.training.recipe import STAGES, Settings
    from mbu_ros.training.restore import restore
    from mbu_ros.training.train import Trainer

    settings = Settings(
        width=args.width,
        depth=args.depth,
        masked=args.masked,
        minutes=args.minutes,
        batch=args.batch,
        learning_rate=args.learning_rate,
        seed=args.seed,
    )
    checkpoint = args.out / 'checkpoint.pt'
    if checkpoint.exists() and not args.resume:
        raise InputError(
            f'{checkpoint} exists; add --resume to go on from it, or choose another --out'
        )
    device = args.device
    if device == 'auto':
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    elif device == 'cuda' and not torch.cuda.is_available():
        raise InputError('--device cuda: PyTorch sees no GPU here; use --device cpu')

    console = Console(highlight=False)
    with console.status('loading data'):
        data = load_data(args)
    console.print(
        f'{data.name}: {len(data.train)} frames to train on, {len(data.val)} to validate, '
        f'{data.train.images.shape[2]}x{data.train.images.shape[1]}; on {device}',
        markup=False,
    )
    trainer = Trainer(data, settings, args.out, device=device, resume=args.resume)
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn('{task.fields[loss]}'),
    )
    with _explained(checkpoint), Progress(*columns, console=console) as bars:
        tasks = {
            stage.name: bars.add_task(
                stage.name, total=1.0, completed=index < trainer.progress.stage, loss=''
            )
            for index, stage in enumerate(STAGES)
        }
        trainer.run(
            lambda name, progress, loss: bars.update(
                tasks[name], completed=progress, loss='' if math.isnan(loss) else f'loss {loss:.3f}'
            ),
            lambda name, miou: console.print(
                f'val mIoU after {name}: {miou:.4f} ({trainer.progress.steps} steps)'
            ),
        )
    _, model = restore(checkpoint, args.name)
    path = args.out / f'{model.name}.safetensors'
    save_model(model, path)
    print(f'wrote {path}')
    return 0


@contextmanager
def _explained(checkpoint: Path) -> Iterator[None]:
    """Say on Ctrl-C how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint.exists():
            print(f'{checkpoint} is kept: go on with --resume', file=sys.stderr)
        raise
