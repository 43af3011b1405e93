# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The kernels' sources that are installed with the package, and what each one consists of."""

from __future__ import annotations

import re
from pathlib import Path

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.share import share_directories

_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)


def kernel_folder() -> Path:
    """The nearest installed folder of kernel sources.

    Raises:
        EngineUnavailable: there is none.
    """
    for folder in share_directories('kernels'):
        if any(folder.glob('*.cu')):
            return folder
    raise EngineUnavailable(
        'no kernel sources are installed (share/mbu_ros/kernels/*.cu); install mbu_ros again'
    )


def kernel_sources() -> list[str]:
    """Names of all sources, as `Launch.source` gives them.

    Raises:
        EngineUnavailable: none is installed.
    """
    return sorted(path.stem for path in kernel_folder().glob('*.cu'))


def source_path(source: str) -> Path:
    """The file of a source.

    Raises:
        EngineUnavailable: there is no such source.
    """
    path = kernel_folder() / f'{source}.cu'
    if not path.is_file():
        raise EngineUnavailable(
            f'no kernel source {path.name!r} in {path.parent}; install mbu_ros again'
        )
    return path


def source_files(source: str) -> dict[str, bytes]:
    """The source and every header that it includes by "name", directly or not: name to content.

    An include that is inside a comment or a condition counts too. One that does not exist is left
    for the compiler to report.

    Raises:
        EngineUnavailable: there is no such source, or a file cannot be read.
    """
    path = source_path(source)
    files: dict[str, bytes] = {}
    pending = [path.name]
    while pending:
        name = pending.pop()
        if name in files:
            continue
        try:
            files[name] = (path.parent / name).read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise EngineUnavailable(
                f'{path.parent / name}: cannot be read: {error.strerror or error}'
            ) from error
        pending += [found.decode() for found in _INCLUDE.findall(files[name])]
    return dict(sorted(files.items()))
