# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show what a model file holds: classes, sizes, and per layer its planes, zeros and cost."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mbu_ros.model.catalog import find_model
from mbu_ros.model.deployed import HIGHEST, Model
from mbu_ros.model.digest import sha256_of
from mbu_ros.model.file import load_model
from mbu_ros.model.structure import padded_size
from mbu_ros.model.summary import LayerCost, layer_costs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    parser.add_argument('model', help='name of a shipped model, or a model file')
    parser.add_argument('--json', action='store_true', help='print JSON instead of tables')


def run(args: argparse.Namespace) -> int:
    """Print the model; returns 0."""
    path = find_model(args.model)
    model = load_model(path)
    costs = layer_costs(model)
    if args.json:
        print(json.dumps(_as_json(model, costs, path), indent=2))
    else:
        _print(model, costs, path)
    return 0


def _as_json(model: Model, costs: list[LayerCost], path: Path) -> dict:
    return {
        'name': model.name,
        'classes': list(model.classes.names),
        'colors': [list(color) for color in model.classes.colors],
        'input_size': list(model.input_size),
        'width': model.width,
        'depth': model.depth,
        'mean': list(model.mean),
        'file_bytes': path.stat().st_size,
        'file_sha256': sha256_of(path),
        'operations': sum(cost.operations for cost in costs),
        'head_lowest': model.head.lowest,
        'layers': [
            {
                'name': cost.shape.name,
                'kind': cost.shape.kind,
                'in_channels': list(cost.shape.in_channels),
                'out_channels': cost.shape.out_channels,
                'planes': cost.planes,
                'zeros': round(cost.zeros, 4),
                'operations': cost.operations,
                'bytes': cost.size,
            }
            for cost in costs
        ],
        'training': model.training,
    }


def _print(model: Model, costs: list[LayerCost], path: Path) -> None:
    console = Console(highlight=False)
    height, width = model.input_size
    padded = padded_size(height, width, model.depth)
    note = '' if padded == model.input_size else f', padded to {padded[1]}x{padded[0]}'
    console.print(f'[bold]{escape(model.name)}[/bold]  {escape(str(path))}', soft_wrap=True)
    console.print(
        f'U-Net of width {model.width}, depth {model.depth}; input {width}x{height}{note}'
    )
    console.print(
        'classes: '
        + '  '.join(
            f'[rgb({r},{g},{b})]██[/] {i} {escape(name)}'
            for i, (name, (r, g, b)) in enumerate(zip(model.classes.names, model.classes.colors))
        )
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))  # as narrow as a plain terminal
    for title in ('layer', 'channels', 'size', 'planes', 'zeros', 'GOP', 'KiB'):
        table.add_column(title, justify='left' if title == 'layer' else 'right', no_wrap=True)
    for cost in costs:
        shape = cost.shape
        table.add_row(
            shape.name,
            f'{"+".join(map(str, shape.in_channels))} > {shape.out_channels}',
            f'{padded[1] >> shape.level}x{padded[0] >> shape.level}',
            str(cost.planes) if cost.planes else 'int8',
            f'{cost.zeros:.0%}',
            f'{cost.operations / 1e9:.3f}',
            f'{cost.size / 1024:.1f}',
        )
    table.add_section()
    total = sum(cost.operations for cost in costs)
    table.add_row(
        'total', '', '', '', '', f'{total / 1e9:.3f}', f'{sum(c.size for c in costs) / 1024:.1f}'
    )
    console.print(table)
    size = path.stat().st_size
    console.print(f'file: {size:,} bytes; operations count two per multiply-add and plane')
    lowest = model.head.lowest
    read = 'bits' if lowest is None else f'sums, from {lowest} to {HIGHEST} above their thresholds'
    console.print(f'the head reads {read}')
    console.print(f'SHA-256: {sha256_of(path)}', soft_wrap=True)
    for key, value in model.training.items():
        if isinstance(value, dict):
            value = ', '.join(f'{name} {item}' for name, item in value.items())
        console.print(f'{key}: {value}', markup=False)
