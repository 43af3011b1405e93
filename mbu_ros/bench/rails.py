# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The power rails of a Jetson, read from its INA3221 monitors and integrated over time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from mbu_ros.bench.energy import MeterError

ROOT = Path('/sys/bus/i2c/drivers/ina3221')
INTERVAL = 0.01
"""Seconds between two samples."""

# Which rails make up the module, by their labels in the device trees of Linux (tegra234-p3767.dtsi:
# Orin NX and Orin Nano; tegra234-p3701.dtsi: AGX Orin). VDD_IN is the input of the whole module. On
# AGX Orin, VDDQ_VDD2_1V8AO is fed from VIN_SYS_5V0 and would count twice.
MODULES = (('VDD_IN',), ('VDD_GPU_SOC', 'VDD_CPU_CV', 'VIN_SYS_5V0'))


@dataclass(frozen=True)
class Rail:
    """One channel of a monitor.

    Attributes:
        label: its name, such as 'VDD_IN'.
        voltage, current: files with millivolts and milliamperes.
    """

    label: str
    voltage: Path
    current: Path

    def watts(self) -> float:
        """Power now.

        Raises:
            MeterError: the files cannot be read.
        """
        try:
            return int(self.voltage.read_text()) * int(self.current.read_text()) * 1e-6
        except (OSError, ValueError) as error:
            raise MeterError(f'{self.voltage.parent}: {error}') from error


def find_rails(root: Path = ROOT) -> list[Rail]:
    """The rails that make up the module; empty where there are no such monitors.

    Raises:
        MeterError: there are monitors, with rails that this does not know.
    """
    rails = {}
    for label in sorted(root.glob('*/hwmon/hwmon*/in[123]_label')):
        channel = label.name[2]
        rail = Rail(
            label.read_text().strip(),
            label.with_name(f'in{channel}_input'),
            label.with_name(f'curr{channel}_input'),
        )
        if rail.voltage.is_file() and rail.current.is_file():
            rails[rail.label] = rail
    if not rails:
        return []
    for module in MODULES:
        if all(label in rails for label in module):
            return [rails[label] for label in module]
    raise MeterError(f'power rails of an unknown board: {", ".join(sorted(rails))}')


class Integral:
    """Energy of power samples, by the trapezoidal rule."""

    def __init__(self) -> None:
        self.joules = 0.0
        self._last: tuple[float, float] | None = None

    def add(self, seconds: float, watts: float) -> None:
        """Add a sample taken at this time."""
        if self._last is not None:
            before, power = self._last
            self.joules += (seconds - before) * (watts + power) / 2
        self._last = seconds, watts


class RailMeter:
    """Samples rails in a thread of its own. See `energy.Meter`. A context manager.

    Args:
        rails: what `find_rails` returned.
        interval: seconds between samples.
    """

    def __init__(self, rails: list[Rail], interval: float = INTERVAL) -> None:
        self.source = f'power rails {" + ".join(rail.label for rail in rails)}'
        self._rails, self._interval = rails, interval
        self._integral, self._error = Integral(), None
        self._lock, self._end = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._sample, name='rails', daemon=True)

    def __enter__(self) -> RailMeter:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._end.set()
        self._thread.join()

    def joules(self) -> float:
        """Energy since the first sample.

        Raises:
            MeterError: the rails could not be read.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            return self._integral.joules

    def _sample(self) -> None:
        while not self._end.is_set():
            try:
                # One monitor takes some milliseconds to read: the time in the middle counts.
                before = time.perf_counter()
                watts = sum(rail.watts() for rail in self._rails)
                middle = (before + time.perf_counter()) / 2
            except MeterError as error:
                with self._lock:
                    self._error = error
                return
            with self._lock:
                self._integral.add(middle, watts)
            self._end.wait(self._interval)
