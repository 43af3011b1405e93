# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu kernels`, and an installation that needs no nvcc because of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mbu_ros.cli import main
from mbu_ros.commands import kernels
from mbu_ros.engine.base import EngineUnavailable

SOURCE = Path(__file__).resolve().parents[2]


def test_cubins_of_several_architectures_land_where_the_engine_looks(installed, nvcc, capsys):
    assert main(['kernels', '--arch', '87', '--arch', '90', '80']) == 0
    text = capsys.readouterr().out
    folder = installed / 'kernels' / 'cubin'
    assert sorted(path.name.split('.')[1] for path in folder.iterdir()) == sorted(
        ['sm_80', 'sm_87', 'sm_90a'] * 2
    )
    assert 'wrote 6 cubins' in text and 'one' in text and 'sm_90a' in text
    assert not [line for line in text.splitlines() if line.startswith(' add')]


def test_a_folder_of_ones_own_and_the_report(installed, nvcc, tmp_path, capsys):
    folder = tmp_path / 'out'
    assert main(['kernels', '--arch', '87', '--out', str(folder), '--report']) == 0
    assert len(list(folder.iterdir())) == 2
    assert not (installed / 'kernels' / 'cubin').exists()
    text = capsys.readouterr().out
    assert [line.split()[:3] for line in text.splitlines() if line.startswith(' add')] == [
        ['add', 'sm_87', '16']
    ] * 2


def test_no_architecture_and_no_gpu(installed, nvcc, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'pycuda', None)
    monkeypatch.setitem(sys.modules, 'pycuda.driver', None)
    assert main(['kernels']) == 2
    text = capsys.readouterr().err
    assert 'PyCUDA is not installed' in text and '--arch 87' in text


def test_the_present_gpu_is_the_default(installed, nvcc, monkeypatch):
    monkeypatch.setattr(kernels, 'present_architectures', lambda: [89])
    assert main(['kernels']) == 0
    paths = (installed / 'kernels' / 'cubin').iterdir()
    assert {path.name.split('.')[1] for path in paths} == {'sm_89'}


def test_nothing_is_written_where_one_source_does_not_compile(installed, nvcc, capsys):
    (installed / 'kernels' / 'two.cu').write_text('BROKEN')
    assert main(['kernels', '--arch', '87']) == 2
    assert 'two.cu for sm_87 does not compile' in capsys.readouterr().err
    assert not (installed / 'kernels' / 'cubin').exists()


@pytest.mark.parametrize('value', ['sm_87', '75'])
def test_a_bad_architecture(installed, nvcc, value, capsys):
    try:
        assert main(['kernels', '--arch', value]) == 2
    except SystemExit as exit_info:
        assert exit_info.code == 2
    assert value in capsys.readouterr().err


def test_a_package_built_with_cubins_runs_without_nvcc(installed, nvcc, tmp_path):
    pytest.importorskip('setuptools', reason='building needs setuptools')
    source = tmp_path / 'source'
    for name in ('setup.py', 'pyproject.toml', 'package.xml', 'README.md', 'LICENSE'):
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(SOURCE / name, source / name)
    for name in ('mbu_ros', 'resource', 'scripts'):
        shutil.copytree(SOURCE / name, source / name)
    shutil.copytree(installed / 'kernels', source / 'kernels')
    assert main(['kernels', '--arch', '87', '--out', str(source / 'kernels' / 'cubin')]) == 0

    pip = [sys.executable, '-m', 'pip', '-q', '--disable-pip-version-check', 'install', '--no-deps']
    prefix = tmp_path / 'prefix'
    install = [*pip, '--no-build-isolation', '--ignore-installed', '--prefix', prefix, source]
    subprocess.run(install, check=True)

    code = "from mbu_ros.engine.cuda.compile import load_cubin; print(load_cubin('two', 87))"
    (packages,) = prefix.glob('lib/python*/site-packages')
    environment = {
        **os.environ,
        'PYTHONPATH': str(packages),
        'AMENT_PREFIX_PATH': str(prefix),
        'NVCC': 'no-such-nvcc',
        'MBU_ROS_CACHE': str(tmp_path / 'empty'),
    }
    result = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert '// two' in result.stdout, result.stderr


def test_the_help_of_a_gpu_that_is_missing(installed, nvcc, monkeypatch, capsys):
    def none():
        raise EngineUnavailable('the CUDA driver lists no GPU')

    monkeypatch.setattr(kernels, 'present_architectures', none)
    assert main(['kernels']) == 2
    assert capsys.readouterr().err.startswith('mbu: the CUDA driver lists no GPU; say for which')
