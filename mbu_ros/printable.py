# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Text of others, such as names of topics, for a terminal, which obeys what it is told to print."""

from __future__ import annotations

import re

_CONTROL = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f]')


def printable(text: str) -> str:
    """The text with escapes in the place of control characters, but for tabs and line ends."""
    return _CONTROL.sub(lambda found: f'\\x{ord(found[0]):02x}', text)
