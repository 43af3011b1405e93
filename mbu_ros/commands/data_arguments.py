# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `mbu train`, `mbu mask` and `mbu export` have in common: their data, and PyTorch."""

from __future__ import annotations

import argparse
import importlib.util

from mbu_ros.commands.arguments import count, size
from mbu_ros.data.tree import DataTree
from mbu_ros.errors import InputError
from mbu_ros.training.datasets import (
    Split,
    TrainingData,
    load_split,
    load_tree,
    render_scenes,
    render_split,
)


def add_data_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add --data, --scenes, --val-scenes, --scene-seed and --size."""
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument(
        '--data', metavar='ROOT', help='a data tree: ROOT/{train,val}/{images,labels}'
    )
    group.add_argument(
        '--scenes', metavar='N', type=count, help='N generated street scenes instead of a data tree'
    )
    parser.add_argument(
        '--val-scenes', metavar='N', type=count, default=200, help='scenes of the val split'
    )
    parser.add_argument('--scene-seed', type=int, default=0, help='seed of the generated scenes')
    parser.add_argument(
        '--size',
        type=size,
        metavar='WxH',
        help='network input size (default: 320x240 for scenes, else that of the first image)',
    )


def require_torch() -> None:
    """Raise InputError where PyTorch is not installed."""
    if importlib.util.find_spec('torch') is None:
        raise InputError(
            "training and export need PyTorch, which is not installed: pip install -e '.[train]' "
            "in this package's source folder, or pip install torch"
        )


def choose_device(name: str) -> str:
    """The device of --device: 'cuda' or 'cpu', whichever 'auto' finds."""
    import torch

    if name == 'auto':
        return 'cuda' if torch.cuda.is_available() else 'cpu'
    if name == 'cuda' and not torch.cuda.is_available():
        raise InputError('--device cuda: PyTorch sees no GPU here; use --device cpu')
    return name


def load_val(
    args: argparse.Namespace, size: tuple[int, int], eval_split: str = 'val'
) -> Split:
    """The split to evaluate on alone, of the data that the arguments name, at (height, width)."""
    if args.data:
        return load_split(DataTree(args.data), eval_split, size)
    return render_split(eval_split, args.val_scenes, size, args.scene_seed)


def load_data(args: argparse.Namespace, eval_split: str = 'val') -> TrainingData:
    """The data that the arguments name."""
    if args.data:
        return load_tree(args.data, args.size, eval_split)
    return render_scenes(
        args.scenes, args.val_scenes, args.size or (240, 320), args.scene_seed, eval_split
    )
