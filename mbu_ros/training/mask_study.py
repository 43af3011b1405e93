# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The masking study of a finished run: gains, costs, the choice, the curve, and two observations.

`mask.json`:
    schema_version   raised when a key changes its meaning or goes away
    mbu_ros          version of this package
    data, split      name of the data; what accuracy is of, 'val' or 'test'
    size             [height, width] of the networks' input
    width, depth, classes   of the networks; the classes' number
    settings         see `study_settings.StudySettings`
    frames           number of training frames that losses are means over
    device           where the networks ran, 'cuda' or 'cpu'
    binary_operations   of the network with one plane in every hidden layer, per frame
    budget           'times' of these that the chosen plan may have; 'share' of the extra cost
    cost             'unit' and 'reason': see `layer_costs.Costs`
    layers           by running order: 'layer', 'weights', 'operations' (of one plane), 'cost' (of
                     the second plane, in the cost's unit), 'one_plane_ms', 'two_planes_ms' (null
                     where not measured), 'gain_removed', 'gain_added' (see `measure_gains`; of the
                     masked network and of the binary one), 'rank' (from 1, the order in which the
                     choice takes them), 'planes' (of the chosen plan), 'zeros' (share of the masked
                     network's weights), 'zeros_untrained' (what the same threshold makes of the
                     float network's weights, which it started from), 'rise_masked',
                     'rise_binary' (see `quantization_sensitivity`, with two planes and with one)
    added_to         name of the network that planes were added to
    rank_correlation of 'gains' from both sides, and of 'rises' with two planes and with one
    zeros, zeros_untrained   of the weights of all hidden layers together
    float_loss       of the float network, which the rises add to
    uniformity       of the rises, by 'masked' and 'binary': see `sensitivity.uniformity`
    curve            by rising share: 'share', 'chosen', 'plan', 'operations', 'relative' (over the
                     all-binary ones), 'ms' on the GPU (null where not measured), 'miou',
                     'pixel_accuracy'
    run              of the run's own networks that were evaluated on the same split, by name:
                     'miou', 'operations', 'precision', 'seconds' of training
Keys come as they are measured. Losses are of training frames. A figure that is undefined is null.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict

import torch

from mbu_ros import __version__
from mbu_ros.errors import InputError
from mbu_ros.network.masking import (
    budget_share,
    by_gain_per_cost,
    layer_operations,
    make_plan,
    plan_operations,
    weight_sparsity,
)
from mbu_ros.network.unet import Precision, UNet
from mbu_ros.training.curve import Candidate, candidates, train_curve
from mbu_ros.training.datasets import TrainingData
from mbu_ros.training.fixed_frames import FixedFrames
from mbu_ros.training.layer_costs import Costs, GpuTimer, measure_costs
from mbu_ros.training.run import Run
from mbu_ros.training.sensitivity import (
    measure_gains,
    quantization_sensitivity,
    rank_correlation,
    uniformity,
)
from mbu_ros.training.study_settings import ADAPT_RATE, StudySettings

SCHEMA_VERSION = 1


class MaskStudy:
    """A study of one run; `measure` does it all.

    Args:
        run: has the networks 'float' and 'masked'; planes are added to 'binary', where it has that.
        data: what it was trained on.
        settings: what to spend.
        device: 'cuda' or 'cpu'.
        say: told in a few words what comes next.
        save: given the result so far after each part.

    Raises:
        InputError: the run lacks a network, or the budget is out of range.
    """

    def __init__(
        self,
        run: Run,
        data: TrainingData,
        settings: StudySettings,
        *,
        device: str,
        say: Callable[[str], object],
        save: Callable[[dict], object],
    ) -> None:
        check_networks(run)
        self._run, self._data, self._settings = run, data, settings
        self._device, self._say, self._save = torch.device(device), say, save
        self._masked, self._float = self._network('masked'), self._network('float')
        self._shapes = self._masked.shapes
        self._size = data.train.images.shape[1:3]
        self._share = budget_share(self._shapes, self._size, settings.budget)
        self._operations = layer_operations(self._shapes, self._size)
        self._binary_operations = self._all_operations(make_plan(self._shapes, 'none'))
        self._timer = GpuTimer(
            self._masked.width, self._masked.depth, len(data.classes), self._size
        )
        recipe = run.settings.recipe
        self._frames = FixedFrames(
            data,
            self._float,
            frames=settings.frames,
            batch=recipe.batch,
            class_weighting=recipe.class_weighting,
            device=self._device,
            seed=settings.seed,
        )
        self._adapt = self._frames.adapt(
            settings.adapt_steps, ADAPT_RATE * recipe.learning_rate
        )
        self._result = self._heading()

    def measure(self) -> dict:
        """The result, ready for JSON; the module describes its keys.

        Raises:
            InputError: a network diverged.
        """
        costs = self._measure_costs()
        gains = self._measure_gains(costs)
        self._measure_sensitivity()
        self._measure_zeros()
        self._measure_curve(gains, costs)
        return self._result

    def _heading(self) -> dict:
        return {
            'schema_version': SCHEMA_VERSION,
            'mbu_ros': __version__,
            'data': self._data.name,
            'split': self._data.eval_split,
            'size': list(self._size),
            'width': self._masked.width,
            'depth': self._masked.depth,
            'classes': len(self._data.classes),
            'settings': asdict(self._settings),
            'frames': self._frames.frames,
            'device': self._device.type,
            'binary_operations': self._binary_operations,
            'budget': {'times': self._settings.budget, 'share': self._share},
            'run': self._other_results(),
            'curve': [],
            'layers': [
                {
                    'layer': shape.name,
                    'weights': shape.weights,
                    'operations': self._operations[shape.name],
                }
                for shape in self._shapes
                if shape.is_binary
            ],
        }

    def _other_results(self) -> dict:
        return {
            name: {
                key: entry[key] for key in ('miou', 'operations', 'precision', 'seconds')
            }
            for name, entry in self._run.results.items()
            if entry['split'] == self._data.eval_split
        }

    def _measure_costs(self) -> Costs:
        self._say('cost of a second plane, layer by layer')
        costs = measure_costs(self._timer)
        self._say(f'costs are {costs.reason}')
        self._result['cost'] = {'unit': costs.unit, 'reason': costs.reason}
        self._add('cost', costs.second)
        self._add('one_plane_ms', costs.one_plane)
        self._add('two_planes_ms', costs.two_planes)
        return costs

    def _measure_gains(self, costs: Costs) -> dict[str, float]:
        self._say('gain of each layer: the masked network without its second plane')
        removed = self._gains(self._masked, 'all', 'gain_removed')
        name = 'binary' if self._run.has('binary') else 'masked'
        self._say(f'gain of each layer: the {name} network, all with one plane, with a second')
        network = self._network(name)
        added = self._gains(network, 'none', 'gain_added')
        self._result['added_to'] = name
        self._correlate('gains', removed, added)
        order = by_gain_per_cost(removed, costs.second)
        self._add('rank', {layer: place for place, layer in enumerate(order, 1)})
        self._save(self._result)
        return removed

    def _gains(self, network: UNet, masked: str, key: str) -> dict[str, float]:
        gains = measure_gains(
            network,
            make_plan(self._shapes, masked),
            self._frames.loss,
            self._adapt,
            lambda layer, gain: self._say(f'  {layer}: {gain:+.4f}'),
        )
        self._add(key, gains)
        return gains

    def _measure_sensitivity(self) -> None:
        self._result['float_loss'] = self._frames.loss(self._float)
        rises = {}
        for name, planes in (('masked', 2), ('binary', 1)):
            self._say(f'the float network with one {name} layer')
            rises[name] = quantization_sensitivity(
                self._float,
                planes,
                self._frames.loss,
                # No training: other layers would make up for what is lost in this one.
                self._frames.adapt(0, 1.0),
                lambda layer, rise: self._say(f'  {layer}: {rise:+.4f}'),
            )
            self._add(f'rise_{name}', rises[name])
        self._correlate('rises', *rises.values())
        self._result['uniformity'] = {name: uniformity(rises[name]) for name in rises}
        self._save(self._result)

    def _measure_zeros(self) -> None:
        plan = make_plan(self._shapes)
        untrained = copy.deepcopy(self._float).set_precision(Precision.FLOAT, plan)
        weights = {row['layer']: row['weights'] for row in self._result['layers']}
        for key, network in (('zeros', self._masked), ('zeros_untrained', untrained)):
            zeros = weight_sparsity(network)
            self._add(key, zeros)
            self._result[key] = sum(zeros[layer] * count for layer, count in weights.items()) / sum(
                weights.values()
            )
        self._save(self._result)

    def _measure_curve(self, gains: Mapping[str, float], costs: Costs) -> None:
        points = candidates(gains, costs.second, self._operations, self._share)
        (chosen,) = (point for point in points if point.chosen)
        self._add('planes', chosen.plan)
        # Timed before training: the engine and torch share the GPU's memory.
        rows = [self._row(point, costs.measured) for point in points]
        self._say(
            f'{len(points)} plans, {60 * self._settings.minutes / len(points):.0f} s of '
            'fine-tuning each'
        )
        remaining = iter(rows)

        def ended(point: Candidate, accuracy: dict) -> None:
            row = {**next(remaining), **accuracy}
            self._say(f'  {row["relative"]:.3f} times the operations: mIoU {row["miou"]:.4f}')
            self._result['curve'].append(row)
            self._save(self._result)

        train_curve(
            points,
            self._masked,
            self._float,
            self._data,
            self._run.settings.recipe,
            minutes=self._settings.minutes,
            device=self._device.type,
            seed=self._settings.seed,
            ended=ended,
        )

    def _row(self, point: Candidate, timed: bool) -> dict:
        operations = self._all_operations(point.plan)
        return {
            **asdict(point),
            'operations': operations,
            'relative': operations / self._binary_operations,
            'ms': self._timer.network(point.plan) if timed else None,
        }

    def _network(self, name: str) -> UNet:
        return self._run.network(name).to(self._device, memory_format=torch.channels_last)

    def _all_operations(self, plan: Mapping[str, int]) -> int:
        return plan_operations(self._shapes, self._size, plan)

    def _add(self, key: str, figures: Mapping[str, float] | None) -> None:
        for row in self._result['layers']:
            row[key] = None if figures is None else figures[row['layer']]

    def _correlate(self, key: str, first: Mapping, second: Mapping) -> None:
        self._result.setdefault('rank_correlation', {})[key] = rank_correlation(first, second)


def check_networks(run: Run) -> None:
    """Raise InputError unless the run has the networks that a study starts from."""
    missing = [name for name in ('float', 'masked') if not run.has(name)]
    if missing:
        raise InputError(
            f'{run.folder} has no finished network {missing[0]!r}, from which a masking study '
            'starts; train it: mbu train --networks float,masked,binary'
        )
