# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compile the CUDA kernels ahead of time, so that a robot needs no compiler (needs nvcc here)."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from mbu_ros.commands.arguments import count
from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.cuda.architecture import target
from mbu_ros.engine.cuda.compile import PREBUILT, build_prebuilt
from mbu_ros.engine.cuda.driver import present_architectures
from mbu_ros.engine.cuda.nvcc import Compilation
from mbu_ros.engine.cuda.sources import kernel_folder, kernel_sources


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    parser.add_argument(
        '--arch',
        type=count,
        nargs='+',
        action='extend',
        help='architectures: compute capability times ten, 87 for a Jetson Orin '
        "(default: those of this machine's GPUs)",
    )
    parser.add_argument(
        '--out',
        type=Path,
        help="folder for the cubins (default: the package's own kernels/cubin, where the engine "
        'looks first, and from where they are installed)',
    )
    parser.add_argument(
        '--report', action='store_true', help='also print what each kernel takes, one by one'
    )


def run(args: argparse.Namespace) -> int:
    """Compile every kernel source, write the cubins, print what came of it; returns 0."""
    architectures = sorted(set(args.arch or _present()))
    jobs = [(source, arch) for source in kernel_sources() for arch in architectures]
    folder = args.out or kernel_folder() / PREBUILT.name
    console = Console(highlight=False)
    with console.status(f'compiling {len(jobs)} cubins'):
        finished = build_prebuilt(folder, jobs)
    compiled = {job: finished[job] for job in jobs}  # they finished in any order
    _print_cubins(console, compiled)
    if args.report:
        _print_kernels(console, compiled)
    console.print(f'wrote {len(jobs)} cubins to {folder}', soft_wrap=True, markup=False)
    return 0


def _present() -> list[int]:
    try:
        return present_architectures()
    except EngineUnavailable as error:
        raise EngineUnavailable(
            f'{error}; say for which architecture to compile, such as --arch 87 for a Jetson Orin'
        ) from error


def _print_cubins(console: Console, compiled: dict[tuple[str, int], Compilation]) -> None:
    table = _table('source', 'arch', 'kernels', 'most registers', 'spilled bytes', 'KiB')
    for (source, architecture), result in compiled.items():
        kernels = result.kernels.values()
        table.add_row(
            source,
            target(architecture),
            str(len(kernels)),
            str(max((kernel.registers for kernel in kernels), default=0)),
            str(sum(kernel.spill_stores + kernel.spill_loads for kernel in kernels)),
            f'{len(result.cubin) / 1024:.1f}',
        )
    console.print(table)


def _print_kernels(console: Console, compiled: dict[tuple[str, int], Compilation]) -> None:
    table = _table('kernel', 'arch', 'registers', 'shared', 'stack', 'spilled')
    for (_, architecture), result in compiled.items():
        for name, kernel in sorted(result.kernels.items()):
            table.add_row(
                name,
                target(architecture),
                str(kernel.registers),
                str(kernel.shared),
                str(kernel.stack),
                str(kernel.spill_stores + kernel.spill_loads),
            )
    console.print(table)
    console.print('bytes per block (shared, static) and per thread (stack, spilled)')


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for index, title in enumerate(titles):
        table.add_column(title, justify='right' if index > 1 else 'left', no_wrap=True)
    return table
