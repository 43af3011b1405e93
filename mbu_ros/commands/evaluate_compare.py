# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu evaluate --compare`: two reports side by side."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from mbu_ros.evaluation.report.comparison_page import write_comparison
from mbu_ros.evaluation.report.comparison_screen import print_comparison
from mbu_ros.evaluation.report.stored_report import read_report


def run_compare(first: Path, second: Path, folder: Path | None) -> int:
    """Show two reports, named themselves or by their folders; with a folder, write compare.html."""
    a, b = read_report(first), read_report(second)
    print_comparison(a, b, Console())
    if folder is not None:
        print(write_comparison(folder, a, b))
    return 0
