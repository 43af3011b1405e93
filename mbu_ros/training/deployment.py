# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a run's quantised network to its deployed model."""

from __future__ import annotations

from pathlib import Path

from mbu_ros.errors import InputError
from mbu_ros.model.deployed import Model
from mbu_ros.network.deploy import deploy
from mbu_ros.training.networks import NETWORKS
from mbu_ros.training.run import Run


def deploy_network(run: Run, network: str, name: str | None = None) -> Model:
    """The deployed model of a quantised network of a run.

    Args:
        run: has the network.
        network: which one.
        name: of the model; that of the run where None.

    Raises:
        InputError: the network is a float one or not there, or the name is no file name.
    """
    if not NETWORKS[network].quantized:
        raise InputError(
            f'the network {network!r} is a float one, which no engine runs; choose one of '
            f'{", ".join(n for n in NETWORKS if NETWORKS[n].quantized)}'
        )
    teachers = run.settings.teachers
    return deploy(
        run.network(network),
        name=check_name(name or run.name),
        classes=run.classes,
        input_size=run.input_size,
        mean=run.mean,
        training={
            'data': run.data['name'],
            'source': run.data['source'],
            'network': network,
            'recipe': str(run.settings.recipe),
            **({} if run.settings.start is None else {'start': run.settings.start}),
            **({'other_teachers': len(teachers)} if teachers else {}),
            'minutes': run.settings.minutes,
            'seed': run.settings.seed,
            'steps': run.progress(network).steps,
            f'{run.data["eval_split"]}_miou': {
                other: round(result['miou'], 4)
                for other, result in run.results.items()
                if result['miou'] is not None
            },
        },
    )


def check_name(name: str) -> str:
    """The name, where it is one for a model file; else raise InputError."""
    if not name or name.startswith('.') or Path(name).name != name:
        raise InputError(f'{name!r} is no name for a model, which is a file name; give --name')
    return name
