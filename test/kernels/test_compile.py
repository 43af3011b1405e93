# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a kernel's source to its cubin, with an nvcc that only pretends."""

import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.cuda import compile as cuda_compile
from mbu_ros.engine.cuda import nvcc as cuda_nvcc
from mbu_ros.engine.cuda.compile import (
    build_prebuilt,
    cache_folder,
    compile_all,
    load_cubin,
    load_cubins,
)

SOURCE = Path(__file__).resolve().parents[2]


def cached(folder):
    return sorted(path for path in (folder / 'cache').iterdir())


def test_a_source_is_compiled_once(installed, nvcc, tmp_path):
    first = load_cubin('one', 87)
    assert first.startswith(b'\x7fELF') and b'// one' in first and b'code=sm_87' in first
    assert load_cubin('one', 87) == first
    assert nvcc.calls == ['one']
    (path,) = cached(tmp_path)
    assert path.read_bytes() == first


def test_several_sources_are_compiled_at_once(installed, nvcc):
    cubins = load_cubins(['one', 'two'], 87)
    assert b'// one' in cubins['one'] and b'// two' in cubins['two']
    assert load_cubins(['two', 'one', 'two'], 87) == cubins
    assert nvcc.calls == ['one', 'two']


def test_hopper_has_its_own_target(installed, nvcc):
    assert b'arch=compute_90a,code=sm_90a' in load_cubin('one', 90)
    assert b'arch=compute_121,code=sm_121' in load_cubin('one', 121)


@pytest.mark.parametrize('architecture', [75, 0, -87])
def test_an_architecture_too_old_is_refused(installed, nvcc, architecture):
    with pytest.raises(EngineUnavailable, match=f'80 .* or newer, this is {architecture}'):
        load_cubin('one', architecture)


@pytest.mark.parametrize('name', ['one.cu', 'both.cuh', 'deep.cuh'])
def test_a_change_to_the_source_or_a_header_compiles_again(installed, nvcc, name):
    load_cubins(['one', 'two'], 87)
    with (installed / 'kernels' / name).open('a') as file:
        file.write('// changed\n')
    load_cubins(['one', 'two'], 87)
    assert nvcc.calls == ['one', 'one', 'two']


def test_another_compiler_architecture_or_flag_compiles_again(installed, nvcc, monkeypatch):
    before = load_cubin('one', 87)
    nvcc.release('13.0')
    assert load_cubin('one', 87) != before
    load_cubin('one', 86)
    monkeypatch.setenv('NVCC_APPEND_FLAGS', '-lineinfo')
    load_cubin('one', 87)
    assert nvcc.calls == ['one'] * 4
    monkeypatch.delenv('NVCC_APPEND_FLAGS')
    nvcc.release('12.6')
    assert load_cubin('one', 87) == before
    assert nvcc.calls == ['one'] * 4


@pytest.mark.parametrize('damage', ['truncated', 'changed', 'empty', 'unreadable'])
def test_a_damaged_cached_file_is_compiled_again(installed, nvcc, tmp_path, damage):
    before = load_cubin('one', 87)
    (path,) = cached(tmp_path)
    if damage == 'truncated':
        path.write_bytes(before[:-1])
    elif damage == 'changed':
        path.write_bytes(before[:-1] + b'?')
    elif damage == 'empty':
        path.write_bytes(b'')
    else:
        path.unlink()
        path.symlink_to(tmp_path / 'nowhere')
    assert load_cubin('one', 87) == before
    assert load_cubin('one', 87) == before
    assert nvcc.calls == ['one'] * 2
    assert cached(tmp_path) == [path]


def test_a_cache_that_cannot_be_written_costs_one_warning(
    installed, nvcc, tmp_path, monkeypatch, caplog
):
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('MBU_ROS_CACHE', str(tmp_path / 'file' / 'cache'))
    with caplog.at_level(logging.WARNING):
        assert len(load_cubins(['one', 'two'], 87)) == 2
    (record,) = caplog.records
    assert 'set MBU_ROS_CACHE' in record.getMessage()


def test_a_full_disk_costs_one_warning(installed, nvcc, tmp_path, monkeypatch, caplog):
    def full(path, content):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Path, 'write_bytes', full)
    with caplog.at_level(logging.WARNING):
        assert len(load_cubins(['one', 'two'], 87)) == 2
    (record,) = caplog.records
    assert 'No space left' in record.getMessage()
    assert cached(tmp_path) == []


def test_ten_processes_at_once(installed, nvcc, tmp_path):
    code = (
        'import pathlib, sys\n'
        'from mbu_ros import share\n'
        f'share._candidates = lambda: iter([pathlib.Path({str(installed)!r})])\n'
        'from mbu_ros.engine.cuda.compile import load_cubins\n'
        "cubins = load_cubins(['one', 'two'], 87)\n"
        "sys.exit(not (b'// one' in cubins['one'] and b'// two' in cubins['two']))\n"
    )
    environment = {**os.environ, 'PYTHONPATH': str(SOURCE)}
    processes = [
        subprocess.Popen([sys.executable, '-c', code], env=environment) for _ in range(10)
    ]
    assert [process.wait(120) for process in processes] == [0] * 10
    assert len(cached(tmp_path)) == 2


def test_a_compile_error_names_file_architecture_and_first_error(installed, nvcc, tmp_path):
    (installed / 'kernels' / 'two.cu').write_text('BROKEN')
    with pytest.raises(EngineUnavailable) as info:
        load_cubins(['two', 'one'], 87)
    assert str(info.value) == (
        f'{installed}/kernels/two.cu for sm_87 does not compile: '
        'two.cu(7): error: identifier "y" is undefined'
    )
    assert len(cached(tmp_path)) == 1  # what did compile is not lost


def test_a_compiler_that_writes_nothing(installed, nvcc):
    (installed / 'kernels' / 'two.cu').write_text('EMPTY')
    with pytest.raises(EngineUnavailable, match='wrote no machine code'):
        load_cubin('two', 87)


def alive(pid):
    try:
        return 'Z' not in Path(f'/proc/{pid}/stat').read_text().rsplit(')')[1].split()[0]
    except FileNotFoundError:
        return False


def test_a_compiler_that_never_ends_is_ended(installed, nvcc, monkeypatch):
    (installed / 'kernels' / 'two.cu').write_text('SLOW')
    monkeypatch.setattr(cuda_nvcc, 'TIMEOUT', 2)
    with pytest.raises(EngineUnavailable, match='given up after 2 s'):
        load_cubin('two', 87)
    assert not alive((nvcc.folder / 'pid').read_text())


def test_an_interrupt_ends_the_compilers(installed, nvcc, monkeypatch):
    (installed / 'kernels' / 'two.cu').write_text('SLOW')
    sleep = time.sleep

    def interrupted(seconds):
        sleep(seconds)
        if (nvcc.folder / 'pid').is_file() and (nvcc.folder / 'pid').read_text():
            raise KeyboardInterrupt

    monkeypatch.setattr(cuda_nvcc.time, 'sleep', interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_cubin('two', 87)
    assert not alive((nvcc.folder / 'pid').read_text())


def test_without_nvcc_the_text_says_what_to_do(installed, no_nvcc):
    with pytest.raises(EngineUnavailable) as info:
        load_cubin('one', 87)
    text = str(info.value)
    assert "NVCC is 'no-such-nvcc'" in text and '--arch 87' in text
    assert str(installed / 'kernels' / 'cubin') in text
    assert '\n' not in text


def test_without_nvcc_the_cache_still_serves(installed, nvcc, monkeypatch):
    before = load_cubin('one', 87)
    monkeypatch.setenv('NVCC', 'no-such-nvcc')
    assert load_cubin('one', 87) == before


def test_prebuilt_cubins_serve_without_nvcc_unless_the_sources_differ(
    installed, nvcc, tmp_path, monkeypatch
):
    build_prebuilt(installed / 'kernels' / 'cubin', [('one', 87), ('two', 87)])
    monkeypatch.setenv('NVCC', 'no-such-nvcc')
    assert b'// one' in load_cubins(['one', 'two'], 87)['one']
    with pytest.raises(EngineUnavailable, match='no compiled kernels for sm_86'):
        load_cubin('one', 86)
    (installed / 'kernels' / 'deep.cuh').write_text('// changed')
    load_cubin('two', 87)
    with pytest.raises(EngineUnavailable, match='made of other sources'):
        load_cubin('one', 87)
    assert not (tmp_path / 'cache').exists()


def test_writing_prebuilt_cubins_replaces_those_of_older_sources(installed, nvcc):
    folder = installed / 'kernels' / 'cubin'
    build_prebuilt(folder, [('one', 87), ('one', 86), ('two', 87)])
    (folder / 'README').write_text('not ours')
    (installed / 'kernels' / 'one.cu').write_text('// new')
    build_prebuilt(folder, [('one', 87)])
    names = sorted(path.name.rsplit('.', 4)[0] for path in folder.iterdir())
    assert names == ['README', 'one.sm_86', 'one.sm_87', 'two.sm_87']
    (new,) = folder.glob('one.sm_87.*')
    assert b'// new' in new.read_bytes()


def test_a_source_edited_while_it_is_compiled_is_not_kept(installed, nvcc, tmp_path, monkeypatch):
    compile_sources = cuda_compile.compile_sources

    def edited(*arguments):
        for job, result in compile_sources(*arguments):
            (installed / 'kernels' / 'one.cu').write_text('// edited')
            yield job, result

    with monkeypatch.context() as patch:
        patch.setattr(cuda_compile, 'compile_sources', edited)
        assert b'// one' in load_cubin('one', 87)
        assert not (tmp_path / 'cache').exists()
        (installed / 'kernels' / 'one.cu').write_text('// one')
        with pytest.raises(EngineUnavailable, match='run this again'):
            build_prebuilt(installed / 'kernels' / 'cubin', [('one', 87)])
    assert b'// edited' in load_cubin('one', 87)
    assert len(cached(tmp_path)) == 1


def test_an_unknown_source(installed, nvcc):
    with pytest.raises(EngineUnavailable, match="no kernel source 'three.cu'"):
        load_cubin('three', 87)


def test_no_sources_at_all(installed, nvcc):
    shutil.rmtree(installed / 'kernels')
    with pytest.raises(EngineUnavailable, match='install mbu_ros again'):
        load_cubin('one', 87)


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.delenv('MBU_ROS_CACHE', raising=False)
    monkeypatch.setenv('XDG_CACHE_HOME', 'relative')
    assert cache_folder() == tmp_path / '.cache' / 'mbu_ros'
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'xdg'))
    assert cache_folder() == tmp_path / 'xdg' / 'mbu_ros'
    monkeypatch.setenv('MBU_ROS_CACHE', str(tmp_path / 'own'))
    assert cache_folder() == tmp_path / 'own'


def test_a_user_with_no_home_compiles_uncached(installed, nvcc, monkeypatch):
    monkeypatch.setattr(cuda_compile, 'cache_folder', lambda: None)
    load_cubin('one', 87)
    load_cubin('one', 87)
    assert nvcc.calls == ['one', 'one']


def test_nvcc_is_found_by_path_and_by_cuda_home(installed, nvcc, tmp_path, monkeypatch):
    monkeypatch.delenv('NVCC')
    monkeypatch.setenv('PATH', str(nvcc.folder))
    assert cuda_nvcc.find_compiler().program == str(nvcc.program)
    (tmp_path / 'toolkit').mkdir()
    nvcc.folder.rename(tmp_path / 'toolkit' / 'bin')
    monkeypatch.setenv('CUDA_HOME', str(tmp_path / 'toolkit'))
    found = cuda_nvcc.find_compiler()
    assert found.program == str(tmp_path / 'toolkit' / 'bin' / 'nvcc')
    assert found.release == '12.6'


def test_an_nvcc_that_does_not_run(installed, nvcc):
    nvcc.program.write_text('#!/bin/sh\nexit 3\n')
    with pytest.raises(EngineUnavailable, match='does not run.*exit status 3'):
        load_cubin('one', 87)


def test_the_report_of_a_kernel(installed, nvcc):
    (kernel,) = compile_all([('one', 87)])['one', 87].kernels.values()
    assert (kernel.registers, kernel.stack, kernel.shared) == (16, 0, 0)
    assert not kernel.local_memory


def test_threads_may_load_at_once(installed, nvcc):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(load_cubin('one', 87))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3 and len(set(results)) == 1
