# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write what is installed with this Python as the constraints of its version."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEADER = """\
# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Releases that were tested together, for `make demo` and `make test`.
# Made by `make constraints PYTHON=python{version}`: pip freeze of a clean installation.
"""


def main() -> None:
    """Write python3.N.txt beside this file."""
    command = [sys.executable, '-m', 'pip', 'freeze', '--exclude-editable']
    frozen = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    version = f'{sys.version_info.major}.{sys.version_info.minor}'
    path = Path(__file__).with_name(f'python{version}.txt')
    path.write_text(HEADER.format(version=version) + frozen, encoding='utf-8')


if __name__ == '__main__':
    main()
