# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Going on from a deployed model, or from the networks of another run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from mbu_ros.errors import InputError
from mbu_ros.model.catalog import find_model
from mbu_ros.model.deployed import Model
from mbu_ros.model.file import load_model
from mbu_ros.network.restore import restore
from mbu_ros.network.unet import UNet
from mbu_ros.training.batches import TrainingFrames, views
from mbu_ros.training.networks import CHOSEN, GOING_ON, NETWORKS, from_model
from mbu_ros.training.run import COMMON_DATA, RUN_FILE, Run, open_run
from mbu_ros.training.settings import Settings

DEFAULT_WIDTH, DEFAULT_DEPTH = 16, 4
MEASURED_BATCHES = 15
"""Batches of augmented frames of which the model's sums are measured."""


def start_size(
    start: str | None, plan: str | None, width: int | None, depth: int | None
) -> tuple[int, int]:
    """Width and depth of a run's networks.

    Args:
        start, plan: what is taken from, if anything; see `Settings`.
        width, depth: as asked for; None: those of the start, of the plan's model, or of this
            package.

    Raises:
        InputError: the start or the plan's model cannot be loaded, or is of another size than was
            asked for.
    """
    if start is not None:
        source = open_source(start)
        size = source if isinstance(source, Model) else source.settings
        _check_size(start, size, width, depth)
        width, depth = size.width, size.depth
    if plan is not None:
        model = load_model(find_model(plan))
        _check_size(plan, model, width, depth)
        width, depth = model.width, model.depth
    return (
        DEFAULT_WIDTH if width is None else width,
        DEFAULT_DEPTH if depth is None else depth,
    )


def _check_size(
    source: str, size: Model | Settings, width: int | None, depth: int | None
) -> None:
    """Raise InputError where what is taken from has another size than is asked for."""
    for name, asked, own in (('width', width, size.width), ('depth', depth, size.depth)):
        if asked not in (None, own):
            raise InputError(
                f'{source} is of {name} {own}, so a run that takes from it cannot be of {asked}; '
                f'leave out --{name}, or give another one'
            )


def started_network(
    name: str,
    run: Run,
    frames: TrainingFrames,
    say: Callable[[str], object] = lambda text: None,
) -> UNet | None:
    """The network that one of a run goes on from, ready to learn on; None where it has none.

    With a new head where the run's classes are not those of the start.

    Args:
        name: of the network in the run.
        run: what is trained.
        frames: of its train split, on the device where the network is to be.
        say: is told so.

    Raises:
        InputError: the start is gone, or damaged.
    """
    source = _source(run, name)
    if source is None:
        return None
    keep_head = source.classes.names == run.classes.names
    new_head = '' if keep_head else ', with a new head, since that has other classes'
    say(f'{name}: goes on from {run.settings.start}{new_head}')
    if isinstance(source, Run):
        return _with_head(source.network(name), run, keep_head)
    return restored(source, run, frames, keep_head=keep_head)


def restored(
    model: Model, run: Run, frames: TrainingFrames, *, keep_head: bool = True
) -> UNet:
    """The network of a deployed model, as `network.restore.restore` makes it, for a run.

    Args:
        model: what it computes.
        run: whose frames it is for.
        frames: of the run's train split, on the device where the network is to be.
        keep_head: whether the run's classes are the model's; else the head is new.
    """
    settings = run.settings
    return restore(
        model,
        views(frames, settings.recipe, settings.seed, MEASURED_BATCHES),
        mean=run.mean,
        classes=len(run.classes),
        keep_head=keep_head,
        device=frames.device,
    )


def check_kept(settings: Settings, data: dict[str, Any]) -> None:
    """Raise InputError where kept networks learnt other data than the run's, as in `describe`."""
    if settings.keep:
        open_run(settings.start).check_data(data, COMMON_DATA)


def keep_network(name: str, run: Run) -> None:
    """Take over a network of the run that this one starts from, as it is.

    Raises:
        InputError: the start is gone, or damaged.
    """
    source = open_run(run.settings.start)
    run.take_network(name, source)
    if NETWORKS[name].masked == CHOSEN:
        run.choice = source.choice
        run.save()


def started_choice(run: Run) -> dict[str, Any] | None:
    """The choice of a plan that the run takes over: of a model, or with the network `chosen`.

    Raises:
        InputError: the model or the start is gone, or damaged.
    """
    plan = run.settings.plan
    source = _source(run, 'chosen') if plan is None else load_model(find_model(plan))
    if isinstance(source, Model):
        return {'plan': source.plan, 'gains': None, 'costs': None, 'unit': None}
    return None if source is None else source.choice


def check_start(settings: Settings) -> None:
    """Raise InputError where the start does not suit the run's networks.

    That is where it lacks one that is to be kept, has nothing that one of them could go on from, or
    has a plan of its own where another is given.
    """
    start, networks, keep = settings.start, settings.networks, settings.keep
    if start is None:
        return
    source = open_source(start)
    if isinstance(source, Model) and from_model(networks) is None:
        raise InputError(
            "only the networks 'masked' and 'chosen' go on from a model; name one in --networks too"
        )
    if settings.plan is not None and _has(source, 'chosen', networks):
        raise InputError(
            f"the network 'chosen' goes on from {start}, with the plan that it has there; leave "
            'out --plan'
        )
    for name in keep:
        if not (isinstance(source, Run) and source.has(name)):
            raise InputError(
                f'{start} has no finished network {name!r} to take over; leave it out of --keep'
            )
    if isinstance(source, Run) and not keep and not any(
        _has(source, name, networks) for name in networks
    ):
        raise InputError(
            f'{start} has no finished network that these could go on from; name one of '
            f'{", ".join(GOING_ON)} that it has in --networks'
        )
    for name in (name for name in GOING_ON if name in networks):
        missing = [other for other in settings.needs(name) if other not in networks]
        if missing and not _has(source, name, networks):
            raise InputError(
                f'{start} has no finished network {name!r} to go on from, so that it needs '
                f'{missing[0]!r}; name it in --networks too'
            )


def _source(run: Run, name: str) -> Model | Run | None:
    """What a network of the run goes on from, opened only where it does."""
    start, networks = run.settings.start, run.settings.networks
    if start is None or name not in GOING_ON:
        return None
    if name != from_model(networks) and not _is_run(start):
        return None
    source = open_source(start)
    return source if _has(source, name, networks) else None


def open_source(name: str) -> Model | Run:
    """The run of a folder, or else the deployed model of a name or path.

    Raises:
        InputError: it is neither, or damaged.
    """
    if _is_run(name):
        return open_run(name)
    return load_model(find_model(name))


def _is_run(start: str) -> bool:
    try:
        return (Path(start).expanduser() / RUN_FILE).is_file()
    except (OSError, RuntimeError, ValueError):  # no possible path
        return False


def _has(source: Model | Run, name: str, networks: Collection[str]) -> bool:
    """Whether the source has what one of a run's networks goes on from."""
    if isinstance(source, Model):
        return name == from_model(networks)
    return name in GOING_ON and source.has(name)


def _with_head(network: UNet, run: Run, keep_head: bool) -> UNet:
    """The network itself, or all of it but its head in a new one."""
    if keep_head:
        return network
    new = run.new_network()
    learnt = {
        key: value
        for key, value in network.state_dict().items()
        if not key.startswith('head.')
    }
    new.load_state_dict(learnt, strict=False)
    return new.set_precision(network.head.precision, network.plan)
