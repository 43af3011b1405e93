# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of a training run: its settings, its networks and their results.

`run.json`:
    schema_version   raised when a key changes its meaning or goes away
    mbu_ros          version of this package
    name             of the models
    settings         see `settings.Settings`
    data             what the networks learnt; see `describe`
    choice           of the plan of `chosen`: 'plan' (planes per binary layer), 'gains', 'costs' and
                     the 'unit' of costs, the last three null where the plan is that of a model;
                     null before it is made
    progress         'network', 'stage', 'steps' and 'seconds' at the last checkpoint of the network
                     in training; null when there is none
    results          by network; the keys are those that `evaluate_network` describes
`networks/NAME.pt`: each network whose training has ended.
`checkpoint.pt`: the network in training.
`NAME_NETWORK.safetensors`: the deployed model of each quantised network.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from mbu_ros import __version__
from mbu_ros.data.reading import MAX_JSON_BYTES, read_file
from mbu_ros.data.sample import ClassMap
from mbu_ros.errors import InputError
from mbu_ros.evaluation.report.report import write_json
from mbu_ros.model.structure import layer_shapes
from mbu_ros.network.masking import MaskPlan, make_plan
from mbu_ros.network.unet import Precision, UNet
from mbu_ros.training.checkpoint import load_checkpoint, save_checkpoint
from mbu_ros.training.datasets import TrainingData
from mbu_ros.training.networks import CHOSEN, NETWORKS
from mbu_ros.training.progress import Progress
from mbu_ros.training.settings import Settings

SCHEMA_VERSION = 1
RUN_FILE = 'run.json'
CHECKPOINT_KEYS = ('name', 'progress', 'network', 'batches')
COMMON_DATA = ('classes', 'input_size', 'mean')
"""What two runs must have in common in their data for a network of one to serve in the other."""
SAME_FRAMES = (*COMMON_DATA, 'digest', 'eval_split')
"""What two runs have in common whose results can be compared."""
NETWORK_KEYS = ('network', 'precision', 'plan', 'mask_threshold', 'progress')


def open_run(folder: str) -> Run:
    """The run in a folder that somebody named, perhaps by ~; errors as `Run`."""
    try:
        return Run(Path(folder).expanduser())
    except RuntimeError:  # there is no such home
        return Run(folder)


def describe(data: TrainingData, device: str, ranks: int = 1) -> dict[str, Any]:
    """What a run that goes on, or is studied, must have in common with the one that began.

    Args:
        data: what the networks learn.
        device: 'cuda' or 'cpu'.
        ranks: number of processes.
    """
    digest = 0
    for split in (data.train, data.val, data.other_val):
        if split is not None:
            for array in (split.images, split.labels):
                digest = zlib.crc32(np.ascontiguousarray(array), digest)
    return {
        'name': data.name,
        'source': data.source,
        'classes': list(data.classes.names),
        'colors': [list(color) for color in data.classes.colors],
        'input_size': list(data.train.images.shape[1:3]),
        'mean': list(data.mean),
        'frames': len(data.train),
        'eval_split': data.eval_split,
        'eval_frames': len(data.val),
        'digest': f'{digest:08x}',
        'device': device,
        'processes': ranks,
    }


class Run:
    """A run that has begun.

    Args:
        folder: that of `run.json`.

    Attributes:
        folder: where everything is.
        name: of its models.
        settings: what it was told.
        data: see `describe`.
        choice, results: see the module.

    Raises:
        InputError: there is no run in the folder, or it is damaged or of another release.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.reload()

    @staticmethod
    def create(folder: Path | str, name: str, settings: Settings, data: dict[str, Any]) -> Run:
        """Begin a run.

        Args:
            folder: made where it is missing.
            name: of its models.
            settings: what to do.
            data: as `describe` gives it.

        Raises:
            InputError: the folder holds parts of another run, or cannot be written.
        """
        for leftover in ('networks', 'checkpoint.pt'):
            if (Path(folder) / leftover).exists():
                raise InputError(
                    f'{folder} has {leftover!r} but no {RUN_FILE}, so it is of some other run; '
                    'choose another folder'
                )
        run = object.__new__(Run)
        run.folder, run.name, run.settings, run.data = Path(folder), name, settings, data
        run.choice, run.results = None, {}
        run.save()
        return run

    def reload(self) -> None:
        """Read `run.json` again, which another process may have changed."""
        path = self.folder / RUN_FILE
        try:
            content = json.loads(read_file(path, MAX_JSON_BYTES).decode())
        except OSError as error:
            raise InputError(
                f'{path}: cannot be read: {error.strerror}; give the folder (--out) of `mbu train`'
            ) from error
        except (ValueError, RecursionError) as error:
            raise InputError(f'{path}: damaged; train again into another folder') from error
        version = content.get('schema_version') if isinstance(content, dict) else None
        try:
            if version != SCHEMA_VERSION:
                raise KeyError('schema_version')
            self.name, self.data = content['name'], content['data']
            self.settings = Settings.from_dict(content['settings'])
            self.choice, self.results = content['choice'], content['results']
        except (KeyError, TypeError, AttributeError, InputError) as error:
            raise InputError(f'{path}: not a run of this release; train again') from error

    def save(self, progress: dict[str, Any] | None = None) -> None:
        """Write `run.json`, whole or not at all."""
        write_json(
            self.folder / RUN_FILE,
            {
                'schema_version': SCHEMA_VERSION,
                'mbu_ros': __version__,
                'name': self.name,
                'settings': self.settings.as_dict(),
                'data': self.data,
                'choice': self.choice,
                'progress': progress,
                'results': self.results,
            },
        )

    def check_settings(self, settings: Settings) -> None:
        """Raise InputError unless these are the settings that this run began with."""
        old, new = self.settings.as_dict(), settings.as_dict()
        self._compare(old.pop('recipe'), new.pop('recipe'))
        self._compare(old, new)

    def check_data(self, data: dict[str, Any], keys: Collection[str] | None = None) -> None:
        """Raise InputError unless the data is what this run's networks learnt.

        Args:
            data: as `describe` gives it.
            keys: those that are compared; None: all.
        """
        keys = data if keys is None else keys
        self._compare({key: self.data.get(key) for key in keys}, {key: data[key] for key in keys})

    def _compare(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        for key, value in new.items():
            if old[key] != value:
                raise InputError(
                    f'{self.folder} is of a run with {key} {old[key]}, not {value}; give the same '
                    'arguments, or another folder'
                )

    @property
    def classes(self) -> ClassMap:
        """Names and colours of the classes."""
        return ClassMap(
            tuple(self.data['classes']), tuple(tuple(color) for color in self.data['colors'])
        )

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the networks' input, in pixels."""
        return tuple(self.data['input_size'])

    @property
    def mean(self) -> tuple[int, int, int]:
        """RGB mean of the training images, 0 to 255."""
        return tuple(self.data['mean'])

    @property
    def checkpoint_path(self) -> Path:
        """Of the network in training."""
        return self.folder / 'checkpoint.pt'

    def network_path(self, name: str) -> Path:
        """Of a network whose training has ended."""
        return self.folder / 'networks' / f'{name}.pt'

    def model_path(self, name: str) -> Path:
        """Of the deployed model of a quantised network."""
        return self.folder / f'{self.name}_{name}.safetensors'

    def has(self, name: str) -> bool:
        """Whether the training of a network has ended."""
        return self.network_path(name).exists()

    def new_network(self) -> UNet:
        """A network of this run's size, with random weights."""
        return UNet(self.settings.width, self.settings.depth, len(self.classes))

    def plan(self, name: str) -> MaskPlan | None:
        """The mask plan of a network; None for a float network."""
        masked = NETWORKS[name].masked
        if masked == CHOSEN:
            return None if self.choice is None else self.choice['plan']
        if masked is None:
            return None
        settings = self.settings
        return make_plan(
            layer_shapes(settings.width, settings.depth, len(self.classes)), masked
        )

    def network(self, name: str) -> UNet:
        """A network whose training has ended: at its precision and plan, in `eval`, on the CPU.

        Raises:
            InputError: its training has not ended, or its file is damaged.
        """
        return self._built(name, self._load(name))

    def _built(self, name: str, content: dict[str, Any]) -> UNet:
        network = self.new_network()
        try:
            network.load_state_dict(content['network'])
        except RuntimeError as error:
            raise InputError(
                f'{self.network_path(name)}: not a network of this run; delete it, and it is '
                'trained again with --resume'
            ) from error
        network.set_precision(Precision(content['precision']), content['plan'])
        network.set_quantizers(
            mask_threshold=content['mask_threshold'],
            activation_gradient=self.settings.recipe.activation_gradient,
            # Releases before this one had bits alone.
            head_input=content.get('head_input', 'bits'),
        )
        return network.eval()

    def progress(self, name: str) -> Progress:
        """What the training of a network took; errors as `network`."""
        return Progress(**self._load(name)['progress'])

    def save_network(self, name: str, network: UNet, progress: Progress) -> None:
        """Write a network whose training has ended."""
        quantized = NETWORKS[name].quantized
        save_checkpoint(
            self.network_path(name),
            {
                'network': network.state_dict(),
                'precision': (Precision.QUANTIZED if quantized else Precision.FLOAT).value,
                'plan': network.plan if quantized else None,
                'mask_threshold': self.settings.recipe.mask_threshold,
                'head_input': network.last_layer.head_input,
                'progress': vars(progress),
            },
        )

    def take_network(self, name: str, other: Run) -> None:
        """Take a network over from another run as it is; errors as `network`."""
        content = other._load(name)
        other._built(name, content)  # so that a damaged one is refused
        save_checkpoint(self.network_path(name), content)

    def save_checkpoint(self, name: str, state: dict[str, Any]) -> None:
        """Write the state of the network in training."""
        save_checkpoint(self.checkpoint_path, {'name': name, **state})
        progress = state['progress']
        self.save(
            {'network': name, **{key: progress[key] for key in ('stage', 'steps', 'seconds')}}
        )

    def checkpoint(self, name: str) -> dict[str, Any] | None:
        """The state of a network in training; None where the checkpoint is of another, or missing.

        Raises:
            InputError: the checkpoint is damaged.
        """
        if not self.checkpoint_path.exists():
            return None
        content = load_checkpoint(self.checkpoint_path, CHECKPOINT_KEYS)
        return content if content['name'] == name else None

    def _load(self, name: str) -> dict[str, Any]:
        path = self.network_path(name)
        if not path.exists():
            there = [other for other in NETWORKS if self.has(other)]
            raise InputError(
                f'{self.folder} has no finished network {name!r}, only '
                f'{", ".join(there) or "none"}; train it with `mbu train --networks`, or finish '
                'the run with --resume'
            )
        return load_checkpoint(path, NETWORK_KEYS)
