# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Study which layers of a finished run of `mbu train` are worth a second bit plane.

Measures what each layer's second plane gains in loss on training frames and what it costs (time on
this GPU, or operations), chooses layers by gain per cost, fine-tunes plans from all binary to all
masked, and shows accuracy against cost, zeros per layer and sensitivity to quantisation.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markdown import Markdown

from mbu_ros.commands.arguments import DefaultsFormatter, count
from mbu_ros.commands.data_arguments import (
    add_data_arguments,
    choose_device,
    load_data,
    require_torch,
)
from mbu_ros.errors import InputError
from mbu_ros.evaluation.report.report import write_json
from mbu_ros.replacing import replacing

if TYPE_CHECKING:
    from mbu_ros.training.datasets import TrainingData
    from mbu_ros.training.run import Run

MATPLOTLIB_MISSING = "No pictures: matplotlib is not installed; pip install 'mbu_ros[train]'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    parser.formatter_class = DefaultsFormatter
    parser.add_argument(
        'folder', type=Path, metavar='RUN', help='the --out of a finished `mbu train`'
    )
    add_data_arguments(parser, required=True)
    parser.add_argument(
        '--eval-split',
        choices=('val', 'test'),
        default='val',
        help='the split that accuracy is of; no choice is made by it',
    )
    parser.add_argument(
        '--budget',
        type=float,
        help='operations that the chosen plan may have, over those of the all-binary network '
        '(default: as the run)',
    )
    parser.add_argument(
        '--minutes', type=float, default=10.0, help='of fine-tuning, for all plans together'
    )
    parser.add_argument(
        '--frames',
        type=count,
        default=64,
        help='training frames to measure losses on, and as many others to adapt with',
    )
    parser.add_argument(
        '--adapt-steps',
        type=int,
        default=20,
        metavar='N',
        help="training steps after each change of a layer's planes, before its loss is measured",
    )
    parser.add_argument(
        '--seed', type=int, help='of the choice of frames and of fine-tuning (default: as the run)'
    )
    parser.add_argument(
        '--device', choices=('auto', 'cuda', 'cpu'), default='auto', help='auto: cuda if there'
    )
    parser.add_argument(
        '--out', type=Path, metavar='DIR', help='folder of tables and pictures (default: RUN/mask)'
    )


def run(args: argparse.Namespace) -> int:
    """Measure, print the tables, and write mask.json, mask.md and the pictures; returns 0."""
    require_torch()
    import torch

    from mbu_ros.training.mask_report import summary, write_report
    from mbu_ros.training.mask_study import MaskStudy, check_networks
    from mbu_ros.training.run import Run
    from mbu_ros.training.study_settings import StudySettings

    trained = Run(args.folder)
    check_networks(trained)
    settings = StudySettings(
        budget=trained.settings.budget if args.budget is None else args.budget,
        minutes=args.minutes,
        frames=args.frames,
        adapt_steps=args.adapt_steps,
        seed=trained.settings.seed if args.seed is None else args.seed,
    )
    device = choose_device(args.device)
    out = args.out or args.folder / 'mask'
    with replacing(out / '.writable'):  # said now, not after the work
        pass
    (out / '.writable').unlink()

    console = Console(highlight=False)
    with console.status('loading data'):
        data = _load(args, trained)
    begin = time.monotonic()

    def say(text: str) -> None:
        console.print(f'{time.monotonic() - begin:7.1f} s  {text}', markup=False, soft_wrap=True)

    try:
        result = MaskStudy(
            trained,
            data,
            settings,
            device=device,
            say=say,
            # After each part, so that an interrupted study leaves what it has.
            save=lambda result: write_json(out / 'mask.json', result),
        ).measure()
    except torch.cuda.OutOfMemoryError as error:
        raise InputError(
            'the GPU has too little memory for this: give it to the study alone, or take --device '
            'cpu'
        ) from error
    paths = write_report(out, result)
    console.print(Markdown(summary(result)))
    if len(paths) == 1:
        console.print(MATPLOTLIB_MISSING, markup=False)
    for path in (out / 'mask.json', *paths):
        print(path)
    return 0


def _load(args: argparse.Namespace, trained: Run) -> TrainingData:
    """The data that the arguments name, which must be what the run learnt."""
    from mbu_ros.training.run import describe

    args.size = args.size or trained.input_size
    data = load_data(args, args.eval_split)
    identity = describe(data, 'cpu')
    trained.check_data(identity, ('classes', 'input_size', 'frames', 'mean'))
    return data
