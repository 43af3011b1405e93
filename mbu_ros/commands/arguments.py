# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Kinds of argument that several subcommands take."""

from __future__ import annotations

import argparse
import re

from mbu_ros.model.file import MAX_SIDE


def size(text: str) -> tuple[int, int]:
    """Parse 'WIDTHxHEIGHT' in pixels, as cameras are described, to (height, width)."""
    found = re.fullmatch(r'(\d+)x(\d+)', text)
    if not found:
        raise argparse.ArgumentTypeError(f'{text!r} is not WIDTHxHEIGHT, such as 320x240')
    height, width = int(found[2]), int(found[1])
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise argparse.ArgumentTypeError(f'{text!r}: each side must be 1 to {MAX_SIDE}')
    return height, width


def count(text: str) -> int:
    """Parse a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number of at least 1')
    return int(text)


class DefaultsFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help that states the default of each argument that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)
