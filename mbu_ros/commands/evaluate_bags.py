# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`mbu evaluate --write-bag`: copies of the bags with the masks of the evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mbu_ros.bags.results import write_results
from mbu_ros.evaluation.accumulator import Evaluation
from mbu_ros.evaluation.mask_files import MaskFiles
from mbu_ros.evaluation.plan import Plan, PlannedBag, camera_sequence


def write_bags(out: Path, plan: Plan, evaluation: Evaluation, masks: Path) -> None:
    """Write `out`, or `out`/NAME where several bags were named; see `write_results` for errors.

    Args:
        out: folder to make.
        plan: what was evaluated.
        evaluation: of the plan.
        masks: folder with all masks; others that lie there, too, are left alone.
    """
    evaluated = {(record.sequence, record.logged) for record in evaluation.records}
    for bag in plan.bags:
        files = MaskFiles(masks / bag.folder)

        def mask(
            topic: str,
            stamp: int,
            logged: tuple[int, int],
            bag: PlannedBag = bag,
            files: MaskFiles = files,
        ) -> np.ndarray | None:
            known = (camera_sequence(bag.name, topic), logged) in evaluated
            return files.get(topic, stamp, logged) if known else None

        path = out / bag.folder
        written = write_results(bag.path, path, evaluation.classes, mask, bag.cameras)
        print(f'{path}: {written} masks added')
