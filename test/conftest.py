# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lets the tests run where ROS 2's plugin for launch tests is installed."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path, parent):
    """Keep that plugin to the launch tests.

    It would import every module of tests once more, as if it were alone in its folder, and stop at
    the first that imports its neighbours.
    """
    if module_path.name.endswith('_launch.py'):
        return None
    return pytest.Module.from_parent(parent, path=module_path)
