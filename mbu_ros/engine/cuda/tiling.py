# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the work of one binary layer is shared out: columns of a slice, groups, rings, blocks.

See kernels/bit_conv.cuh for what these are. The choice is the fastest by a rough model of cycles,
whose constants were measured (kernels/NOTES.md); any choice gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from mbu_ros.engine.base import EngineUnavailable
from mbu_ros.engine.cuda.launch import DeviceLimits
from mbu_ros.engine.cuda.layout import STEP_BYTES, Product

TILE_ROWS, TILE_COLUMNS = 8, 16
GROUP_THREADS = 128
BARRIER_BYTES = 1024
PLACE_BYTES = 16
INPUT_STAGES = (4, 3, 2)
MOST_WEIGHT_STAGES = BARRIER_BYTES // 16 - 3 * max(INPUT_STAGES)
"""A stage has two barriers of 8 bytes; there are up to three groups."""

# Cycles of a multiprocessor, by instruction and columns where it depends on them.
STEP_CYCLES = {('wgmma', 128): 132, ('wgmma', 64): 76, ('mma', 128): 220, ('mma', 64): 112}
"""One step of one tile."""
TILE_CYCLES = {128: 2000, 64: 1800}
"""What a group takes for a tile besides its product; groups do it at the same time."""
ISSUE_CYCLES = {128: 560, 64: 400}
"""Issuing the instructions of one tile: groups share this."""
START_CYCLES = 4000
"""From the start of a block to its first product."""
L2_BYTES_PER_CYCLE = 22
"""For one multiprocessor while all read."""


@dataclass(frozen=True)
class Tiling:
    """One way to share out a layer.

    Attributes:
        columns: output columns of one slice.
        warp_columns: of those, columns of one warp.
        groups: groups of four warps that multiply.
        input_stages, weight_stages: depths of the rings.
        grid: blocks along tiles, and slices.
        shared_bytes: shared memory of a block.
        cycles: the model's estimate.
    """

    columns: int
    warp_columns: int
    groups: int
    input_stages: int
    weight_stages: int
    grid: tuple[int, int]
    shared_bytes: int
    cycles: float

    @property
    def threads(self) -> int:
        """Threads of a block: the groups, and one more that feeds them."""
        return (self.groups + 1) * GROUP_THREADS


def tiles_of(batch: int, height: int, width: int) -> int:
    """Tiles of a tensor."""
    return batch * -(-height // TILE_ROWS) * -(-width // TILE_COLUMNS)


def stage_bytes(product: Product) -> int:
    """Bytes of one stage of the input ring (kStageBytes in kernels/schedule.cuh)."""
    pixels = (TILE_ROWS + 2) * (TILE_COLUMNS + 2) if product.taps == 9 else TILE_ROWS * TILE_COLUMNS
    count_bytes = pixels * 4 if product.counts_bits else 0
    return -(-(product.stage_chunks * pixels * 16 + count_bytes + PLACE_BYTES) // 128) * 128


def possible_tilings(
    product: Product,
    instruction: str,
    tiles: int,
    limits: DeviceLimits,
    candidates: list[tuple[int, int, int]],
) -> list[Tiling]:
    """All tilings that the device can run, by the model's estimate, fastest first.

    Args:
        instruction: 'wgmma' or 'mma'.
        tiles: of the layer's input.
        candidates: (columns, warp columns, most groups) for which there is a kernel.
    """
    found = []
    for columns, warp_columns, most in candidates:
        if product.columns % columns:
            continue
        for groups in range(1, most + 1):
            tiling = _tiling(product, instruction, tiles, limits, columns, warp_columns, groups)
            if tiling:
                found.append(tiling)
    return sorted(found, key=lambda tiling: tiling.cycles)


def choose_tiling(
    product: Product,
    instruction: str,
    tiles: int,
    limits: DeviceLimits,
    candidates: list[tuple[int, int, int]],
) -> Tiling:
    """The first of `possible_tilings`.

    Raises:
        EngineUnavailable: there is none.
    """
    found = possible_tilings(product, instruction, tiles, limits, candidates)
    if not found:
        raise EngineUnavailable(
            f'the GPU gives a block {limits.shared_per_block} bytes of shared memory, too few for '
            'any kernel'
        )
    return found[0]


def _tiling(
    product: Product,
    instruction: str,
    tiles: int,
    limits: DeviceLimits,
    columns: int,
    warp_columns: int,
    groups: int,
) -> Tiling | None:
    input_bytes = stage_bytes(product) * groups
    weight_bytes = product.weight_steps * columns * STEP_BYTES
    stages = product.steps // product.weight_steps
    # A ring needs two stages, also where one stage is all the weights.
    enough = max(min(stages, MOST_WEIGHT_STAGES), 2)
    for input_stages in INPUT_STAGES:
        shared = BARRIER_BYTES + 4 * columns + input_stages * input_bytes
        weight_stages = min((limits.shared_per_block - shared) // weight_bytes, enough)
        if weight_stages >= min(enough, 4):
            break
    if weight_stages < 2:
        return None
    shared += weight_stages * weight_bytes

    slices = product.columns // columns
    tile_blocks = -(-tiles // groups)
    rounds = -(-tile_blocks // max(1, limits.multiprocessors // slices))
    blocks = -(-tile_blocks // rounds)  # as few as do it in so many rounds
    waves = -(-blocks * slices // limits.multiprocessors)
    step_cycles = STEP_CYCLES[instruction, columns] * product.steps
    round_cycles = max(
        groups * max(step_cycles, ISSUE_CYCLES[columns]), step_cycles + TILE_CYCLES[columns]
    )
    weights = stages * weight_bytes / L2_BYTES_PER_CYCLE
    if weight_stages < stages:
        cycles = rounds * max(round_cycles, weights)
    else:
        cycles = max(rounds * round_cycles, weights + step_cycles / 2)
    return Tiling(
        columns,
        warp_columns,
        groups,
        input_stages,
        weight_stages,
        (blocks, slices),
        shared,
        waves * (cycles + START_CYCLES),
    )
