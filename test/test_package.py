# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an installation holds: the wheel is built and installed to a prefix of its own."""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import mbu_ros

SOURCE = Path(__file__).resolve().parents[1]
NODES = ('segment_node', 'diagnostics_text_node', 'player_node', 'evaluator_node')


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    pytest.importorskip('setuptools', reason='building needs setuptools')
    folder = tmp_path_factory.mktemp('package')
    # Of a copy, because building leaves build/ and *.egg-info behind.
    skipped = shutil.ignore_patterns('.*', '__pycache__', 'build', '*.egg-info', 'demo_output')
    shutil.copytree(SOURCE, folder / 'source', ignore=skipped)
    pip = [sys.executable, '-m', 'pip', '-q', '--disable-pip-version-check']
    subprocess.run(
        [*pip, 'wheel', '--no-deps', '--no-build-isolation', '-w', folder, folder / 'source'],
        check=True,
    )
    (wheel,) = folder.glob('*.whl')
    prefix = folder / 'prefix'
    # --ignore-installed: or pip would uninstall the package from the environment of these tests.
    install = [*pip, 'install', '--no-deps', '--ignore-installed', '--prefix', prefix, wheel]
    subprocess.run(install, check=True)
    return prefix


def test_ament_finds_the_package(prefix):
    index = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages'
    assert (index / 'mbu_ros').is_file()
    assert (prefix / 'share' / 'mbu_ros' / 'package.xml').is_file()


@pytest.mark.parametrize('node', NODES)
def test_ros2_run_finds_the_nodes(prefix, node):
    path = prefix / 'lib' / 'mbu_ros' / node
    assert path.is_file() and os.access(path, os.X_OK)
    module = path.read_text().split(' -m ')[1].split()[0]
    assert (SOURCE / f'{module.replace(".", "/")}.py').is_file()


def test_everything_shipped_is_there(prefix):
    share = prefix / 'share' / 'mbu_ros'
    shipped = {
        'launch': '*.launch.*',
        'launch/examples': '*.launch.*',
        'config': '*',
        'config/sros2': '*',
        'models': '*',
        'kernels': '*.cu*',
    }
    for folder, pattern in shipped.items():
        expected = {path.name for path in (SOURCE / folder).glob(pattern) if path.is_file()}
        assert expected
        found = {path.name for path in (share / folder).iterdir() if path.is_file()}
        assert found == expected


def test_the_templates_of_reports_lie_in_the_package(prefix):
    folder = Path('mbu_ros', 'evaluation', 'report', 'templates')
    (packages,) = prefix.glob('lib/python*/site-packages')
    expected = {path.name for path in (SOURCE / folder).iterdir()}
    assert expected and {path.name for path in (packages / folder).iterdir()} == expected


def test_an_installed_mbu_finds_its_models(prefix, tmp_path):
    (packages,) = prefix.glob('lib/python*/site-packages')
    result = subprocess.run(
        [sys.executable, '-m', 'mbu_ros.cli', 'info', 'synthetic'],
        cwd=tmp_path,
        env={
            **os.environ,
            'PYTHONPATH': str(packages),
            'AMENT_PREFIX_PATH': str(prefix),
            'COLUMNS': '200',
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(prefix) in result.stdout


def test_an_installed_engine_finds_its_kernels(prefix, tmp_path):
    (packages,) = prefix.glob('lib/python*/site-packages')
    code = (
        'from mbu_ros.engine.cuda.sources import kernel_folder, kernel_sources, source_files; '
        'files = {file for source in kernel_sources() for file in source_files(source)}; '
        'print(kernel_folder(), *sorted(files), sep="\\n")'
    )
    result = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(packages), 'AMENT_PREFIX_PATH': str(prefix)},
        capture_output=True,
        text=True,
        check=True,
    )
    folder, *files = result.stdout.split()
    assert folder == str(prefix / 'share' / 'mbu_ros' / 'kernels')
    # None is left over: every file is a source, or included by one.
    assert files == sorted(path.name for path in (SOURCE / 'kernels').glob('*.cu*'))


def test_versions_agree():
    manifest = ElementTree.parse(SOURCE / 'package.xml').getroot()
    assert manifest.get('format') == '3'
    assert manifest.findtext('version') == mbu_ros.__version__
    assert manifest.findtext('export/build_type') == 'ament_python'
    assert f"version='{mbu_ros.__version__}'" in (SOURCE / 'setup.py').read_text()
