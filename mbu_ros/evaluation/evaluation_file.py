# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An evaluation as a file, exact to the last bit, so that an interrupted run can go on.

A NumPy archive (.npz) without Python objects: reading one runs nothing. Counts and masks are
arrays; the rest is JSON, which keeps every float64 as it is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from mbu_ros.data.sample import ClassMap
from mbu_ros.errors import InputError
from mbu_ros.evaluation.accumulator import End, Evaluation
from mbu_ros.evaluation.frame_record import FrameRecord
from mbu_ros.evaluation.metrics import ConfusionMatrix
from mbu_ros.evaluation.report.gallery import Gallery
from mbu_ros.evaluation.stability import StabilityCounts
from mbu_ros.replacing import replacing

BOUNDARY = ('mask_pixels', 'label_pixels', 'mask_near', 'label_near')
GALLERY = 'gallery/'
"""Before the names of the gallery's own arrays."""


def save_evaluation(path: Path | str, evaluation: Evaluation) -> None:
    """Write an evaluation to a file.

    Raises:
        InputError: the file cannot be written.
    """
    arrays = _arrays(evaluation)
    arrays['head'] = np.frombuffer(json.dumps(_head(evaluation)).encode(), np.uint8)
    with replacing(path) as temporary, temporary.open('wb') as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load_evaluation(path: Path | str) -> Evaluation:
    """Read what `save_evaluation` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, np.ndarray] = {name: file[name] for name in file.files}
        return _build(json.loads(bytes(arrays['head'])), arrays)
    except Exception as error:  # a damaged archive raises what zip, zlib, NumPy and JSON raise
        raise InputError(f'{path}: no saved evaluation: {str(error)[:200]}; remove it') from error


def _head(evaluation: Evaluation) -> dict[str, Any]:
    classes, boundary = evaluation.classes, evaluation.boundary
    return {
        'names': classes.names,
        'colors': classes.colors,
        'boundary': boundary.tolerances if boundary else [],
        'against': evaluation.agreement is not None,
        'pictures': evaluation.gallery is not None,
        'stability': astuple(evaluation.stability),
        'records': [astuple(record) for record in evaluation.records],
        'labelled': evaluation.labelled,
        'stages': evaluation.stages,
        'sequences': list(evaluation.by_sequence),
        'films': list(evaluation.first),
        'ends': [
            (evaluation.first[film].record, evaluation.last[film].record)
            for film in evaluation.first
        ],
    }


def _arrays(evaluation: Evaluation) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for index, confusion in enumerate(evaluation.by_sequence.values()):
        arrays |= _of_matrix(f'sequence{index}', confusion)
    if evaluation.agreement is not None:
        arrays |= _of_matrix('agreement', evaluation.agreement)
    if evaluation.boundary is not None:
        arrays |= {name: getattr(evaluation.boundary, name) for name in BOUNDARY}
    for index, film in enumerate(evaluation.first):
        for place, end in (('first', evaluation.first[film]), ('last', evaluation.last[film])):
            arrays[f'{place}{index}_mask'] = end.mask
            if end.label is not None:
                arrays[f'{place}{index}_label'] = end.label
    if evaluation.gallery is not None:
        kept = evaluation.gallery.arrays()
        arrays |= {GALLERY + name: array for name, array in kept.items()}
    return arrays


def _build(head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Evaluation:
    classes = ClassMap(tuple(head['names']), tuple(tuple(color) for color in head['colors']))
    evaluation = Evaluation(classes, boundary=head['boundary'], against=head['against'])
    if head['pictures']:
        kept = {
            name.removeprefix(GALLERY): array
            for name, array in arrays.items()
            if name.startswith(GALLERY)
        }
        evaluation.gallery = Gallery.from_arrays(classes, kept)
    evaluation.stability = StabilityCounts(*head['stability'])
    evaluation.labelled = Counter(head['labelled'])
    evaluation.stages = head['stages']
    evaluation.records = [_record(values) for values in head['records']]
    for index, sequence in enumerate(head['sequences']):
        matrix = _to_matrix(f'sequence{index}', arrays)
        evaluation.by_sequence[sequence] = matrix
        evaluation.confusion = evaluation.confusion + matrix
    if head['against']:
        evaluation.agreement = _to_matrix('agreement', arrays)
    if evaluation.boundary is not None:
        for name in BOUNDARY:
            setattr(evaluation.boundary, name, arrays[name])
    for index, (film, (first, last)) in enumerate(zip(head['films'], head['ends'])):
        evaluation.first[film] = _end(f'first{index}', first, arrays)
        evaluation.last[film] = _end(f'last{index}', last, arrays)
    return evaluation


def _record(values: list[Any]) -> FrameRecord:
    record = dict(zip(FrameRecord.__dataclass_fields__, values))
    # JSON knows no tuples.
    tuples = {name: tuple(record[name]) for name in ('boundary_f1', 'logged') if record[name]}
    return FrameRecord(**{**record, 'boundary_f1': (), **tuples})


def _end(name: str, record: int, arrays: Mapping[str, np.ndarray]) -> End:
    return End(record, arrays[f'{name}_mask'], arrays.get(f'{name}_label'))


def _of_matrix(name: str, matrix: ConfusionMatrix) -> dict[str, np.ndarray]:
    return {f'{name}_counts': matrix.counts, f'{name}_unpredicted': matrix.unpredicted}


def _to_matrix(name: str, arrays: Mapping[str, np.ndarray]) -> ConfusionMatrix:
    counts = arrays[f'{name}_counts']
    matrix = ConfusionMatrix(len(counts))
    matrix.counts += counts
    matrix.unpredicted += arrays[f'{name}_unpredicted']
    return matrix
