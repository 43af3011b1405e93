# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The `mbu` command: finds the subcommand, runs it, and turns known errors into one line."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

from mbu_ros import __version__
from mbu_ros.engine.base import EngineError, EngineUnavailable
from mbu_ros.errors import InputError

# A subcommand's module is imported only when it is run, so that `mbu info` needs no torch.
COMMANDS = {
    'demo': 'run the whole path on this machine: bag, player, node and evaluator',
    'segment': 'write masks and overlays of single images',
    'evaluate': 'measure a model on bags, a data tree or scenes; compare two reports',
    'bag': 'make a rosbag2 of a data tree, images, a video or generated scenes',
    'info': 'show what a model file holds',
    'bench': 'time the CUDA engine beside FP16 U-Nets on this GPU',
    'soak': 'run the node at full rate for hours and watch what it takes of the machine',
    'kernels': 'compile the CUDA kernels ahead of time (needs nvcc)',
    'train': 'train a model (needs PyTorch)',
    'mask': 'study which layers of a trained network deserve a second bit plane (needs PyTorch)',
    'export': 'turn a network of a training run into a model file (needs PyTorch)',
}


def _parser(selected: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='mbu', description='Real-time segmentation with masked binary U-Nets.'
    )
    parser.add_argument('--version', action='version', version=f'mbu_ros {__version__}')
    subparsers = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary)
        if name == selected:
            module = importlib.import_module(f'mbu_ros.commands.{name}')
            subparser.description = module.__doc__
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `mbu` with these arguments (default: the process's own); returns its exit code.

    2 stands for input that cannot be used, as it does for argparse, and for an engine that this
    machine cannot run; 1 for what failed on the way.
    """
    if threading.current_thread() is threading.main_thread():
        # As Ctrl-C: what was started is stopped, and what is half written removed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Such as that kernels are being compiled, which takes a while.
    logging.basicConfig(format='mbu: %(message)s')
    logging.getLogger('mbu_ros').setLevel(logging.INFO)
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    selected = next((argument for argument in arguments if argument in COMMANDS), None)
    try:
        args = _parser(selected).parse_args(arguments)
        return args.run(args)
    except (InputError, EngineUnavailable) as error:
        print(f'mbu: {error}', file=sys.stderr)
        return 2
    except EngineError as error:
        print(f'mbu: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('mbu: interrupted', file=sys.stderr)
        return 130
    except BrokenPipeError:  # `mbu info ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == '__main__':
    sys.exit(main())
