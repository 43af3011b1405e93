# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turn a trained network of `mbu train` into a model file, and check that both agree."""

from __future__ import annotations

import argparse
from pathlib import Path

from mbu_ros.commands.data_arguments import add_data_arguments, load_val, require_torch
from mbu_ros.errors import InputError
from mbu_ros.model.file import save_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    parser.add_argument('run_folder', metavar='RUN', type=Path, help='the --out of `mbu train`')
    parser.add_argument(
        '--network', default='chosen', help='chosen (the default), masked or binary'
    )
    parser.add_argument(
        '-o', '--out', type=Path, help='model file to write (default: RUN/NAME.safetensors)'
    )
    parser.add_argument('--name', help='name of the model (default: that of the run)')
    parser.add_argument(
        '--eval-split', choices=('val', 'test'), default='val', help='where to compare both'
    )
    add_data_arguments(parser, required=False)


def run(args: argparse.Namespace) -> int:
    """Write the model; with data, print on how many pixels both networks agree; returns 0."""
    require_torch()
    from mbu_ros.training.deployment import deploy_network
    from mbu_ros.training.evaluate_network import agreement
    from mbu_ros.training.networks import NETWORKS
    from mbu_ros.training.run import Run

    if args.network not in NETWORKS:
        raise InputError(f'no network {args.network!r}; choose one of {", ".join(NETWORKS)}')
    trained = Run(args.run_folder)
    model = deploy_network(trained, args.network, args.name)
    out = args.out or args.run_folder / f'{model.name}.safetensors'
    save_model(model, out)
    print(f'wrote {out}')
    if args.data or args.scenes:
        if args.size not in (None, model.input_size):
            height, width = model.input_size
            raise InputError(f"--size must be the model's own {width}x{height}, or left out")
        split = load_val(args, model.input_size, args.eval_split)
        network = trained.network(args.network)
        share = agreement(network, model, split)
        print(
            f'trained and integer network agree on {100 * share:.4f}% of the pixels of '
            f'{len(split)} {args.eval_split} frames'
        )
    return 0
