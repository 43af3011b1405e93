# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Model files: one safetensors file, checked whole before anything in it is used.

Tensors: `first.weight` int8, `first.threshold` int32; per binary layer NAME `NAME.plus` uint32,
`NAME.minus` uint32 (two planes only) and `NAME.threshold` int32; `head.weight` int8, `head.bias`
int32. Shapes as in `deployed`. The safetensors metadata has `format`, `format_version` and
`model`, a JSON object with the other fields of `Model`. Files whose head reads sums have
`head_lowest` there, and version 2, since releases that read version 1 alone would take them for
other networks; all others have version 1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mbu_ros.data.sample import IGNORE, ClassMap
from mbu_ros.errors import InputError
from mbu_ros.model.deployed import LOWEST, BinaryLayer, FirstLayer, Head, Model
from mbu_ros.model.digest import verified
from mbu_ros.model.packing import pack_sources, source_words
from mbu_ros.model.structure import FIRST, HEAD, TAPS, UP, LayerShape, layer_shapes
from mbu_ros.replacing import replacing

FORMAT = 'mbu_ros'
FORMAT_VERSIONS = {'1': False, '2': True}
"""Versions that this release reads: whether the head reads sums."""

MAX_WIDTH, MAX_DEPTH, MAX_SIDE = 512, 6, 16384
MAX_BIAS = 1 << 30  # so that a logit never leaves int32
REMEDY = 'export it again with `mbu export`'

Metadata = dict[str, Any]


def save_model(model: Model, path: Path | str) -> None:
    """Write a model file, atomically: readers see the old file or the new one, whole.

    Raises:
        InputError: the model is inconsistent (the checks of `load_model`), or cannot be written.
    """
    path = Path(path)
    tensors, metadata = _tensors(model), _metadata(model)
    _check_metadata(path, metadata)
    _check_tensors(path, metadata, tensors)
    try:
        text = json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f'{path}: metadata: "training" cannot be JSON: {error}') from error
    version = '1' if model.head.lowest is None else '2'
    header = {'format': FORMAT, 'format_version': version, 'model': text}
    with replacing(path) as temporary:
        try:
            save_file(tensors, temporary, header)
        except SafetensorError as error:  # its form of an OSError, such as a full disk
            raise OSError(str(error)) from error


def load_model(path: Path | str, sha256: str = '') -> Model:
    """Read a model file.

    Args:
        sha256: digest that the file must have, 64 hexadecimal digits; '' where it may have any.

    Raises:
        InputError: the file is missing, truncated, no model file, of another version or digest, or
            its parts do not fit together.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path}: no such model file')
    try:
        with verified(path, sha256) as content, safe_open(content, framework='numpy') as file:
            metadata = _read_metadata(path, file.metadata())
            expected = _expected(metadata)
            # Shapes are compared before data is read, so that a hostile header costs no memory.
            for name in file.keys():
                part = file.get_slice(name)
                _check_shape(path, name, tuple(part.get_shape()), expected)
                if part.get_dtype() not in ('I8', 'I32', 'U32'):  # some of which NumPy lacks
                    raise InputError(f'{path}: tensor {name!r} is {part.get_dtype()}; {REMEDY}')
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, TypeError) as error:
        raise InputError(f'{path}: damaged or not a model file ({error}); {REMEDY}') from error
    _check_tensors(path, metadata, tensors)
    return _assemble(metadata, tensors)


def _read_metadata(path: Path, header: dict[str, str] | None) -> Metadata:
    if not header or header.get('format') != FORMAT:
        raise InputError(f'{path}: a safetensors file, but not of {FORMAT}; {REMEDY}')
    version = header.get('format_version')
    if version not in FORMAT_VERSIONS:
        raise InputError(
            f'{path}: format version {version}, this release reads versions '
            f'{" and ".join(FORMAT_VERSIONS)}; {REMEDY} of this release'
        )
    try:
        metadata: Metadata = json.loads(header.get('model', ''))
    except (ValueError, RecursionError) as error:
        raise InputError(f'{path}: its metadata is not valid JSON; {REMEDY}') from error
    _check_metadata(path, metadata)
    if ('head_lowest' in metadata) != FORMAT_VERSIONS[version]:
        raise InputError(
            f'{path}: metadata: "head_lowest" belongs to format version 2, this is {version}; '
            f'{REMEDY}'
        )
    return metadata


def _is_int(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_text(value: object) -> bool:
    """Whether it is text that can be printed; JSON may hold half a surrogate pair."""
    return isinstance(value, str) and not any('\ud800' <= c <= '\udfff' for c in value)


def _check_metadata(path: Path, metadata: object) -> None:
    def require(condition: bool, text: str) -> None:
        if not condition:
            raise InputError(f'{path}: metadata: {text}; {REMEDY}')

    require(isinstance(metadata, dict), 'not an object')
    assert isinstance(metadata, dict)
    require(_is_text(metadata.get('name')), '"name" must be text')
    require(_is_int(metadata.get('width'), 1, MAX_WIDTH), f'"width" must be 1 to {MAX_WIDTH}')
    require(_is_int(metadata.get('depth'), 1, MAX_DEPTH), f'"depth" must be 1 to {MAX_DEPTH}')
    names, colors = metadata.get('classes'), metadata.get('colors')
    require(
        isinstance(names, list)
        and 1 <= len(names) < IGNORE
        and all(_is_text(name) for name in names),
        f'"classes" must be 1 to {IGNORE - 1} names',
    )
    for key, value, count, high in (
        ('input_size', metadata.get('input_size'), 2, MAX_SIDE),
        ('mean', metadata.get('mean'), 3, 255),
    ):
        low = 1 if key == 'input_size' else 0
        require(
            isinstance(value, list)
            and len(value) == count
            and all(_is_int(entry, low, high) for entry in value),
            f'"{key}" must be {count} integers from {low} to {high}',
        )
    require(
        isinstance(colors, list)
        and isinstance(names, list)
        and len(colors) == len(names)
        and all(
            isinstance(color, list) and len(color) == 3 and all(_is_int(v, 0, 255) for v in color)
            for color in colors
        ),
        '"colors" must be one RGB triple per class',
    )
    scale = metadata.get('head_scale')
    require(
        isinstance(scale, (int, float)) and not isinstance(scale, bool) and 0 < scale < 1e6,
        '"head_scale" must be a positive number',
    )
    lowest = metadata.get('head_lowest', 0)
    require(
        _is_int(lowest, min(LOWEST), 0) and lowest in LOWEST,
        f'"head_lowest" must be {" or ".join(map(str, LOWEST))}',
    )
    binary = [s.name for s in _shapes(metadata) if s.is_binary]
    plan = metadata.get('planes')
    require(
        isinstance(plan, dict)
        and set(plan) == set(binary)
        and all(_is_int(planes, 1, 2) for planes in plan.values()),
        f'"planes" must give 1 or 2 for each of the {len(binary)} binary layers',
    )
    require(isinstance(metadata.get('training'), dict), '"training" must be an object')


def _shapes(metadata: Metadata) -> tuple[LayerShape, ...]:
    return layer_shapes(metadata['width'], metadata['depth'], len(metadata['classes']))


def _expected(metadata: Metadata) -> dict[str, tuple[tuple[int, ...], type]]:
    """Shape and dtype of every tensor that a model of this metadata has."""
    expected: dict[str, tuple[tuple[int, ...], type]] = {}
    for shape in _shapes(metadata):
        out, taps = shape.out_channels, TAPS[shape.kind]
        if shape.kind == HEAD:
            expected['head.weight'] = ((out, shape.in_channels[0]), np.int8)
            expected['head.bias'] = ((out,), np.int32)
        elif shape.kind == FIRST:
            expected['first.weight'] = ((out, 3, 3, 3), np.int8)
            expected['first.threshold'] = ((out,), np.int32)
        else:
            planes = ('plus', 'minus')[: metadata['planes'][shape.name]]
            for plane in planes:
                words = source_words(shape.in_channels)
                expected[f'{shape.name}.{plane}'] = ((out, taps, words), np.uint32)
            thresholds = (out, taps) if shape.kind == UP else (out,)
            expected[f'{shape.name}.threshold'] = (thresholds, np.int32)
    return expected


def _check_shape(
    path: Path,
    name: str,
    shape: tuple[int, ...],
    expected: dict[str, tuple[tuple[int, ...], type]],
) -> None:
    if name not in expected:
        raise InputError(
            f'{path}: tensor {name!r} does not belong to a model of its metadata; {REMEDY}'
        )
    if shape != expected[name][0]:
        raise InputError(
            f'{path}: tensor {name!r} has shape {list(shape)} where its metadata means '
            f'{list(expected[name][0])}; {REMEDY}'
        )


def _check_tensors(path: Path, metadata: Metadata, tensors: dict[str, np.ndarray]) -> None:
    expected = _expected(metadata)
    missing = sorted(set(expected) - set(tensors))
    if missing:
        raise InputError(f'{path}: tensor {missing[0]!r} is missing; {REMEDY}')
    for name, tensor in tensors.items():
        _check_shape(path, name, tensor.shape, expected)
        if tensor.dtype != expected[name][1]:
            raise InputError(
                f'{path}: tensor {name!r} is {tensor.dtype}, not '
                f'{np.dtype(expected[name][1])}; {REMEDY}'
            )
    for shape in _shapes(metadata):
        if not shape.is_binary:
            continue
        plus, minus = tensors[f'{shape.name}.plus'], tensors.get(f'{shape.name}.minus')
        channels = pack_sources(np.ones(sum(shape.in_channels), bool), shape.in_channels)
        for plane in (plus,) if minus is None else (plus, minus):
            if (plane & ~channels).any():
                raise InputError(
                    f'{path}: layer {shape.name!r} has weights beyond its input channels; {REMEDY}'
                )
        if minus is not None and (plus & minus).any():
            raise InputError(
                f'{path}: layer {shape.name!r} has weights that are +1 and -1 at once; {REMEDY}'
            )
    if np.abs(tensors['head.bias'].astype(np.int64)).max() > MAX_BIAS:
        raise InputError(f'{path}: a head bias is beyond {MAX_BIAS}; {REMEDY}')


def _metadata(model: Model) -> Metadata:
    return {
        'name': model.name,
        'classes': list(model.classes.names),
        'colors': [list(color) for color in model.classes.colors],
        'input_size': list(model.input_size),
        'mean': list(model.mean),
        'width': model.width,
        'depth': model.depth,
        'planes': model.plan,
        'head_scale': model.head.scale,
        **({} if model.head.lowest is None else {'head_lowest': model.head.lowest}),
        'training': model.training,
    }


def _tensors(model: Model) -> dict[str, np.ndarray]:
    tensors = {
        'first.weight': model.first.weight,
        'first.threshold': model.first.threshold,
        'head.weight': model.head.weight,
        'head.bias': model.head.bias,
    }
    for name, layer in model.layers.items():
        tensors[f'{name}.plus'] = layer.plus
        if layer.minus is not None:
            tensors[f'{name}.minus'] = layer.minus
        tensors[f'{name}.threshold'] = layer.threshold
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


def _assemble(metadata: Metadata, tensors: dict[str, np.ndarray]) -> Model:
    return Model(
        name=metadata['name'],
        classes=ClassMap(
            tuple(metadata['classes']), tuple(tuple(color) for color in metadata['colors'])
        ),
        input_size=tuple(metadata['input_size']),
        mean=tuple(metadata['mean']),
        width=metadata['width'],
        depth=metadata['depth'],
        first=FirstLayer(tensors['first.weight'], tensors['first.threshold']),
        layers={
            shape.name: BinaryLayer(
                tensors[f'{shape.name}.plus'],
                tensors.get(f'{shape.name}.minus'),
                tensors[f'{shape.name}.threshold'],
            )
            for shape in _shapes(metadata)
            if shape.is_binary
        },
        head=Head(
            tensors['head.weight'],
            tensors['head.bias'],
            float(metadata['head_scale']),
            metadata.get('head_lowest'),
        ),
        training=metadata['training'],
    )
