# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TensorBoard logs of a training run, where TensorBoard is installed.

Each network has a folder of its own with the same tags, so that TensorBoard draws the networks over
one another: `tensorboard --logdir RUN/logs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mbu_ros.data.files import read_image
from mbu_ros.errors import InputError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

SCALARS = ('loss', 'learning_rate', 'images_per_second', 'val_miou')
"""Keys of a point that are written."""
SAMPLES = 'samples'
"""Tag of the picture."""
FLUSH_SECONDS = 30
"""A killed run loses at most about this much of its logs."""


class Logs:
    """Writes what training shows; does nothing where TensorBoard is missing. A context manager.

    Args:
        folder: of the logs.
        say: called with one message where TensorBoard is missing.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None
        self._available = _tensorboard_available()
        if not self._available:
            say(
                'No TensorBoard logs: TensorBoard or Pillow is not installed; '
                "pip install 'mbu_ros[train]'"
            )

    def start(self, network: str, step: int = 0) -> None:
        """Go on to a network.

        Args:
            network: its name.
            step: the step that it starts at. What an earlier, killed run logged from there on is
                no longer shown.

        Raises:
            InputError: the folder cannot be written.
        """
        self.close()
        if not self._available:
            return
        from torch.utils.tensorboard import SummaryWriter

        folder = self._folder / network
        try:
            self._writer = SummaryWriter(
                str(folder), purge_step=step, flush_secs=FLUSH_SECONDS
            )
        except OSError as error:
            raise InputError(f'{folder}: cannot be written: {error.strerror or error}') from error

    def add(self, point: Mapping[str, float | str | None]) -> None:
        """Write a point of the network's history: its `step`, and what it has of `SCALARS`."""
        if self._writer is None:
            return
        for name in SCALARS:
            if point.get(name) is not None:
                self._writer.add_scalar(name, point[name], point['step'])

    def add_samples(self, path: Path, step: int) -> None:
        """Show the picture in a file, such as `pictures.write_samples` made.

        Raises:
            InputError: the picture cannot be read.
        """
        if self._writer is not None:
            self._writer.add_image(SAMPLES, read_image(path), step, dataformats='HWC')

    def close(self) -> None:
        """End the network's log, with everything in it on disk."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __enter__(self) -> Logs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _tensorboard_available() -> bool:
    try:
        import PIL  # noqa: F401  pictures need it, and older releases do not bring it
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        return False
    return True
