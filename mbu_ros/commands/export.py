# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turn a finished checkpoint of `mbu train` into a model file, and check that both agree."""

from __future__ import annotations

import argparse
from pathlib import Path

from mbu_ros.commands.data_arguments import add_data_arguments, load_val, require_torch
from mbu_ros.errors import InputError
from mbu_ros.model.file import save_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    parser.add_argument('checkpoint', type=Path, help='checkpoint.pt of `mbu train`')
    parser.add_argument('-o', '--out', type=Path, required=True, help='model file to write')
    parser.add_argument('--name', help='name of the model (default: that of its data)')
    add_data_arguments(parser, required=False)


def run(args: argparse.Namespace) -> int:
    """Write the model; with data, print on how many val pixels both networks agree; returns 0."""
    require_torch()
    from mbu_ros.training.restore import agreement, restore

    network, model = restore(args.checkpoint, args.name)
    save_model(model, args.out)
    print(f'wrote {args.out}')
    if args.data or args.scenes:
        if args.size not in (None, model.input_size):
            height, width = model.input_size
            raise InputError(f"--size must be the model's own {width}x{height}, or left out")
        val = load_val(args, model.input_size)
        share = agreement(network, model, val)
        print(
            f'trained and integer network agree on {100 * share:.4f}% of the pixels of '
            f'{len(val)} val frames'
        )
    return 0
