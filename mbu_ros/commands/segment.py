# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write masks (class ids, 8 bit) and overlays of single images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mbu_ros.data.files import read_image
from mbu_ros.engine.base import Engine
from mbu_ros.engine.select import ENGINES, create_engine
from mbu_ros.errors import InputError
from mbu_ros.imaging.overlay import overlay
from mbu_ros.imaging.sheet import write_image
from mbu_ros.model.catalog import find_model
from mbu_ros.model.file import load_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `mbu segment`."""
    parser.add_argument('images', nargs='+', type=Path, metavar='IMAGE')
    parser.add_argument(
        '-o', '--output', type=Path, required=True, metavar='DIR', help='folder to write to'
    )
    parser.add_argument(
        '--model',
        default='camvid',
        metavar='NAME_OR_PATH',
        help='a shipped model or a file (default: %(default)s, streets)',
    )
    parser.add_argument('--engine', choices=ENGINES, default='auto')
    parser.add_argument(
        '--alpha', type=_share, default=0.5, help='weight of the colours, 0 to 1 (default: 0.5)'
    )


def run(args: argparse.Namespace) -> int:
    """Segment each image; 1 if any of them could not be, 0 otherwise."""
    _check_names(args.images)
    engine, reason = create_engine(args.engine, load_model(find_model(args.model)))
    print(f'Engine: {engine.name} on {engine.device}; {reason}')
    failed = False
    try:
        for path in args.images:
            try:
                print(_segment(path, engine, args.output, args.alpha))
            except InputError as error:
                print(f'mbu: {error}', file=sys.stderr)
                failed = True
    finally:
        engine.close()
    return 1 if failed else 0


def _segment(path: Path, engine: Engine, folder: Path, alpha: float) -> str:
    image = read_image(path)
    (result,) = engine.segment([image])
    mask, picture = folder / f'{path.stem}_mask.png', folder / f'{path.stem}_overlay.png'
    write_image(mask, result.labels)
    write_image(picture, overlay(image, result.labels, engine.model.classes.colors, alpha))
    return f'{path}: {mask}, {picture}'


def _check_names(images: list[Path]) -> None:
    by_stem: dict[str, Path] = {}
    for path in images:
        other = by_stem.setdefault(path.stem, path)
        if other != path:
            raise InputError(
                f'{other} and {path} would write the same files; give each its own -o DIR'
            )


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError('must be from 0 to 1')
    return value
