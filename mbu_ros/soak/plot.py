# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The picture of a soak: each quantity over time, and what was made of it. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mbu_ros.replacing import replacing
from mbu_ros.soak.judgement import Verdict
from mbu_ros.soak.quantities import QUANTITIES

COLOR, BAD_COLOR, WARM_UP_COLOR = '#2a78b8', '#c03028', '#e8e8e8'


def plot(
    path: Path,
    title: str,
    samples: Sequence[Mapping[str, float | None]],
    verdicts: Mapping[str, Verdict],
    begin: float,
) -> bool:
    """Write one panel for each quantity that was measured, as a PNG.

    Args:
        samples: with the columns of `samples.COLUMNS`.
        verdicts: by the key of the quantity.
        begin: end of the warm-up, in seconds.

    Returns:
        False where matplotlib is not installed, and nothing was written.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure  # needs no display
    except ImportError:
        return False
    shown = [q for q in QUANTITIES if any(sample[q.key] is not None for sample in samples)]
    figure = Figure(figsize=(9, 0.6 + 1.7 * len(shown)), layout='constrained')
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    minutes = [sample['seconds'] / 60 for sample in samples]
    for axis, quantity in zip(panels, shown):
        verdict = verdicts.get(quantity.key)
        color = BAD_COLOR if verdict and verdict.grows else COLOR
        values = [sample[quantity.key] for sample in samples]
        known = [value for value in values if value is not None]
        axis.axvspan(0, begin / 60, color=WARM_UP_COLOR, zorder=0)
        axis.plot(minutes, [float('nan') if v is None else v for v in values], color=color, lw=1)
        # From zero, so that noise looks as small as it is.
        axis.set_ylim(0, 1.15 * max(known) or 1)
        axis.set_ylabel(f'{quantity.title}\n({quantity.unit})' if quantity.unit else quantity.title)
        if verdict:
            growth = f'{verdict.growth:+.2g} {quantity.unit}'.rstrip()
            text = f'growth {growth}, limit {verdict.limit:.2g}'
            axis.set_title(text, fontsize=8, loc='right', color=color)
        axis.grid(alpha=0.3)
    panels[-1].set_xlabel('minutes (grey: warm-up, not judged)')
    panels[-1].set_xlim(0, minutes[-1])
    figure.suptitle(title, fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, format='png', dpi=100)
    return True
