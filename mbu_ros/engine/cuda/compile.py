# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Kernel sources to cubins: what ships with the package, else the user's cache, else nvcc."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.cuda.architecture import target
from mbu_ros.engine.cuda.cubin_files import CubinKey, digest, find, outdated, store
from mbu_ros.engine.cuda.nvcc import Compilation, compile_sources, find_compiler, flags_key
from mbu_ros.engine.cuda.sources import kernel_folder, source_files, source_path
from mbu_ros.errors import InputError
from mbu_ros.share import share_directories

LOGGER = logging.getLogger(__name__)

PREBUILT = Path('kernels', 'cubin')
"""Where `mbu kernels` puts cubins and where they ship, in a checkout and in share/mbu_ros."""


def load_cubin(source: str, architecture: int) -> bytes:
    """Machine code of one kernel source; as `load_cubins`."""
    return load_cubins([source], architecture)[source]


def load_cubins(sources: Iterable[str], architecture: int) -> dict[str, bytes]:
    """Machine code of kernel sources for an architecture, such as 87, by source.

    Each is taken from the package where it ships compiled from the same sources, else from the
    user's cache, else compiled, several at once, and put there. A damaged file is as none. A cache
    that cannot be written costs one warning, and compiling again the next time.

    Raises:
        EngineUnavailable: an architecture too old, a source that is not there or does not compile,
            or neither a cubin nor a compiler.
    """
    keys = {source: cubin_key(source, architecture) for source in sources}
    folders = share_directories(str(PREBUILT))
    found = _find_all(folders, keys)
    missing = {source: key for source, key in keys.items() if source not in found}
    if missing:
        found |= _cached_or_compiled(missing, architecture)
    return {source: found[source] for source in keys}


def cubin_key(source: str, architecture: int) -> CubinKey:
    """What a cubin of a source must have been made for and of.

    Raises:
        EngineUnavailable: no such source, or an architecture too old.
    """
    parts = [flags_key().encode()]
    for name, content in source_files(source).items():
        parts += [name.encode(), digest(content).encode()]
    return CubinKey(source, target(architecture), digest(b'\0'.join(parts)))


def compile_all(jobs: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Compilation]:
    """Compile each (source, architecture) anew, several at once; nothing is stored.

    Raises:
        EngineUnavailable: no compiler, or one does not compile: the first of those.
    """
    compiled = {}
    paths = [(source_path(source), architecture) for source, architecture in jobs]
    for (path, architecture), result in compile_sources(find_compiler(), paths):
        if isinstance(result, EngineUnavailable):
            raise result
        compiled[path.stem, architecture] = result
    return compiled


def build_prebuilt(
    folder: Path, jobs: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], Compilation]:
    """Compile as `compile_all`, into a folder to ship, in the place of cubins of older sources.

    Raises:
        EngineUnavailable: as `compile_all`, or a source was edited meanwhile; nothing is written.
        InputError: the folder cannot be written.
    """
    keys = {job: cubin_key(*job) for job in jobs}
    compiled = compile_all(keys)
    if any(cubin_key(*job) != key for job, key in keys.items()):
        raise EngineUnavailable('a kernel source was edited while it was compiled; run this again')
    made_by = digest(find_compiler().version.encode())
    for job, key in keys.items():
        store(folder, key, made_by, compiled[job].cubin)
        for path in outdated(folder, key):
            path.unlink(missing_ok=True)
    return compiled


def cache_folder() -> Path | None:
    """Where this user's cubins are kept: MBU_ROS_CACHE, else mbu_ros in XDG_CACHE_HOME, ~/.cache.

    None where the user has no home folder.
    """
    named = os.environ.get('MBU_ROS_CACHE')
    if named:
        return Path(named)
    base = os.environ.get('XDG_CACHE_HOME', '')
    if os.path.isabs(base):  # a relative one is to be ignored, says its specification
        return Path(base, 'mbu_ros')
    try:
        return Path.home() / '.cache' / 'mbu_ros'
    except RuntimeError:
        return None


def _cached_or_compiled(keys: dict[str, CubinKey], architecture: int) -> dict[str, bytes]:
    cache = cache_folder()
    folders = [cache] if cache else []
    try:
        compiler = find_compiler()
    except EngineUnavailable as error:
        found = _find_all(folders, keys)
        absent = [source for source in keys if source not in found]
        if absent:
            raise EngineUnavailable(_advice(absent, keys, architecture, error)) from error
        return found
    made_by = digest(compiler.version.encode())
    found = _find_all(folders, keys, made_by)
    missing = [(source_path(source), architecture) for source in keys if source not in found]
    if missing:
        LOGGER.info(
            'compiling %d kernel sources for %s; they are kept in %s',
            len(missing),
            target(architecture),
            cache,
        )
    failed = None
    for (path, _), result in compile_sources(compiler, missing):
        if isinstance(result, EngineUnavailable):
            failed = failed or result
            continue
        found[path.stem] = result.cubin
        # Not what was compiled of a source that was edited meanwhile: its key is another's.
        if cubin_key(path.stem, architecture) == keys[path.stem]:
            folders = _keep(folders, keys[path.stem], made_by, result.cubin)
    if failed:
        raise failed
    return found


def _find_all(
    folders: list[Path], keys: dict[str, CubinKey], compiler: str | None = None
) -> dict[str, bytes]:
    """Those of the cubins that are in one of the folders, by source."""
    found = {}
    for source, key in keys.items():
        cubins = (find(folder, key, compiler) for folder in folders)
        cubin = next((cubin for cubin in cubins if cubin is not None), None)
        if cubin is not None:
            found[source] = cubin
    return found


def _keep(folders: list[Path], key: CubinKey, compiler: str, cubin: bytes) -> list[Path]:
    """Store in the cache folder; returns the folders that are still worth trying."""
    try:
        for folder in folders:
            store(folder, key, compiler, cubin)
    except InputError as error:
        LOGGER.warning(
            'compiled kernels cannot be kept, so they are compiled at every start: %s; '
            'set MBU_ROS_CACHE to a folder that can be written',
            error,
        )
        return []
    return folders


def _advice(
    missing: list[str], keys: dict[str, CubinKey], architecture: int, reason: EngineUnavailable
) -> str:
    """What to do where there is neither a cubin nor a compiler."""
    place = kernel_folder() / PREBUILT.name
    folders = share_directories(str(PREBUILT))
    old = any(outdated(folder, keys[source]) for folder in folders for source in missing)
    note = ' (those that ship were made of other sources)' if old else ''
    return (
        f'no compiled kernels for {target(architecture)}{note}, and {reason}; install nvcc of the '
        'CUDA toolkit or set NVCC to it, or where there is one run '
        f'`mbu kernels --arch {architecture} --out cubin` and copy cubin/* to {place}'
    )
