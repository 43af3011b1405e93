# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names of what JSON holds, for signatures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]
"""A report as `report.build_report` made it, or as `stored_report.read_report` read it."""
