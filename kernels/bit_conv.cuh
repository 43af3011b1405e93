// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// The body of every convolution on bits: a persistent block of specialised warps.
//
// A block works on one slice of kColumns output channels. Its groups of four warps each multiply a
// tile of 8 x 16 pixels at a time; one more group of four warps feeds them: up to three load tiles
// into the groups' input rings, the fourth loads weights into a ring that all groups share. Where a
// slice's weights fit into that ring whole they are loaded once and stay. Groups run out of step,
// so that one's epilogue hides behind another's product. There are one to three groups.
//
// Shared memory: barriers | thresholds | input stages of each group | weight stages.
#pragma once

#include "dependent_launch.cuh"
#include "ptx.cuh"
#include "result.cuh"
#include "schedule.cuh"
#include "tile_loader.cuh"

namespace mbu {

constexpr int kGroupThreads = 128;
constexpr int kBarrierBytes = 1024;
constexpr int kTileWarps = 3;  // that load tiles

// weights: [slice][weight stage][step][half][column][16 bytes].
// offsets: [slice][column], in the order of columns of the product; see Result.
struct Weights {
  const unsigned char* bits;
  const int* offsets;
  int stages;  // weight stages of one slice
};

struct Rings {
  int input_stages;   // of each group, at least 2
  int weight_stages;  // of the block, at least 2; all of Weights::stages where these are to stay
};

// The compiler gives all threads of a block equally many registers; loaders give some of theirs to
// those that multiply (sm_90a). By the most threads of a block: two or three groups, and loaders.
template <int kThreads>
struct RegisterShares {
  static_assert(kThreads == 256 || kThreads == 384 || kThreads == 512, "one to three groups");
  static constexpr bool kShares = kThreads > 256;
  static constexpr int kMultiply = kThreads == 384 ? 200 : 136;
  static constexpr int kLoad = 104;
};

template <int kValue>
struct Int {
  static constexpr int value = kValue;
};

// Calls step(Int<first step>) for each weight stage of one input stage.
template <class Schedule, int kStage = 0, class Step>
__device__ __forceinline__ void for_each_weight_stage(const Step& step) {
  if constexpr (kStage < Schedule::kWeightStages) {
    step(Int<kStage * Schedule::kWeightSteps>{});
    for_each_weight_stage<Schedule, kStage + 1>(step);
  }
}

// Multiply: MultiplyMma or MultiplyWgmma. kThreads: most threads of a block. make_epilogue() gives
// each thread that multiplies what to call with its Result of each tile.
template <class Multiply, int kThreads, class MakeEpilogue>
__device__ __forceinline__ void convolve(const Sources& sources, const Weights& weights,
                                         const Rings& rings, const MakeEpilogue& make_epilogue) {
  using Schedule = typename Multiply::Schedule;
  constexpr int kColumns = Multiply::kColumns;
  constexpr int kWeightBytes = Schedule::kWeightSteps * 2 * kColumns * kHalfBytes;

  extern __shared__ __align__(128) unsigned char shared[];
  const int groups = blockDim.x / kGroupThreads - 1;
  // The same in all lanes, which the shuffle tells the compiler.
  const int all_warps = __shfl_sync(0xffffffff, threadIdx.x / 32, 0);
  const int group = all_warps / 4, warp = all_warps % 4, lane = threadIdx.x % 32;
  int* offsets = reinterpret_cast<int*>(shared + kBarrierBytes);
  unsigned char* inputs = shared + kBarrierBytes + kColumns * sizeof(int);
  unsigned char* weight_ring = inputs + groups * rings.input_stages * Schedule::kStageBytes;

  // Barriers: input full and empty of each group and stage, then weights full and empty.
  const uint32_t barriers = shared_address(shared);
  const int loaders = kTileWarps / groups;  // of one group's tiles
  const auto input_full = [&](int g, int stage) {
    return barriers + 16 * (g * rings.input_stages + stage);
  };
  const auto weights_full = [&](int stage) {
    return barriers + 16 * (groups * rings.input_stages + stage);
  };
  const auto empty = [](uint32_t full) { return full + 8; };

  let_next_kernel_start();
  if (threadIdx.x == 0) {
    for (int g = 0; g < groups; ++g)
      for (int s = 0; s < rings.input_stages; ++s) {
        barrier_init(input_full(g, s), kArrivalsOfWarp * loaders);
        barrier_init(empty(input_full(g, s)), kArrivalsOfWarp * 4);
      }
    for (int s = 0; s < rings.weight_stages; ++s) {
      barrier_init(weights_full(s), MBU_HAS_BULK_COPY ? 1 : 32);
      barrier_init(empty(weights_full(s)), kArrivalsOfWarp * 4 * groups);
    }
    fence_barrier_init();
  }
  for (int i = threadIdx.x; i < kColumns; i += blockDim.x)
    offsets[i] = weights.offsets[blockIdx.y * kColumns + i];
  __syncthreads();

  const int tiles = sources.batch * ((sources.height + kTileRows - 1) / kTileRows) *
                    ((sources.width + kTileColumns - 1) / kTileColumns);
  const int tile_step = gridDim.x * groups;
  // All groups of a block take equally many tiles, since they share the weights; those beyond the
  // last are empty.
  const int rounds = ((tiles + groups - 1) / groups - blockIdx.x + gridDim.x - 1) / gridDim.x;
  const int input_steps = sources.chunks() / Schedule::kChunks;  // input stages of a tile
  const bool weights_stay = weights.stages <= rings.weight_stages;

  const auto load_tiles = [&](int g, int share, int shares) {
    // Nothing is written before a tile has been read, so that it is enough to wait here.
    wait_for_previous_kernel();
    TileLoader<Schedule> loader(sources, share * 32 + lane, shares * 32);
    typename TileLoader<Schedule>::Pixels even, odd;
    const int total = rounds * input_steps;
    TileWalk tile(sources, blockIdx.x * groups + g, tile_step);
    int chunk = 0;                             // to fetch next
    int stage = 0, parity = 1, deposited = 0;  // to write next; the ring starts empty
    const auto fetch = [&](typename TileLoader<Schedule>::Pixels& pixels) {
      if (chunk == 0) {
        loader.move_to(tile);
        tile.advance();
      }
      loader.fetch(pixels, chunk);
      chunk += Schedule::kChunks;
      if (chunk == input_steps * Schedule::kChunks) chunk = 0;
    };
    const auto deposit = [&](const typename TileLoader<Schedule>::Pixels& pixels) {
      const uint32_t full = input_full(g, stage);
      barrier_wait(empty(full), parity);
      loader.deposit(pixels, inputs + (g * rings.input_stages + stage) * Schedule::kStageBytes,
                     deposited == 0);
      if (++deposited == input_steps) deposited = 0;
      barrier_arrive_warp(full);
      if (++stage == rings.input_stages) stage = 0, parity ^= 1;
    };
    // Where there are registers for it, a stage's reads are under way while another is written.
    constexpr bool kReadsAhead =
        kThreads <= 384 && TileLoader<Schedule>::kMost * Schedule::kChunks <= 8;
    if constexpr (!kReadsAhead) {
      for (int n = 0; n < total; ++n) {
        fetch(even);
        deposit(even);
      }
      return;
    }
    fetch(even);
    for (int n = 0; n < total; n += 2) {
      if (n + 1 < total) fetch(odd);
      deposit(even);
      if (n + 1 == total) break;
      if (n + 2 < total) fetch(even);
      deposit(odd);
    }
  };

  const auto load_weights = [&] {
    const unsigned char* slice =
        weights.bits + static_cast<size_t>(blockIdx.y) * weights.stages * kWeightBytes;
    int stage = 0, parity = 1;
    const int total = (weights_stay ? 1 : rounds) * weights.stages;
    for (int n = 0, from = 0; n < total; ++n) {
      const uint32_t full = weights_full(stage);
      barrier_wait(empty(full), parity);
      const uint32_t to = shared_address(weight_ring + stage * kWeightBytes);
      const unsigned char* bits = slice + static_cast<size_t>(from) * kWeightBytes;
#if MBU_HAS_BULK_COPY
      // All lanes have seen that the stage is empty before one has it filled: a lane that looked
      // late could find it full and empty again, and wait for a phase that has passed.
      __syncwarp();
      if (lane == 0) bulk_copy(to, bits, kWeightBytes, full);
#else
      for (int byte = lane * 16; byte < kWeightBytes; byte += 32 * 16)
        copy_async_16(to + byte, bits + byte);
      arrive_when_copied(full);
#endif
      if (++from == weights.stages) from = 0;
      if (++stage == rings.weight_stages) stage = 0, parity ^= 1;
    }
  };

  const auto multiply_tiles = [&] {
    Multiply product;
    int input_stage = 0, input_parity = 0, weight_stage = 0, weight_parity = 0;
    const uint32_t own_inputs =
        shared_address(inputs + group * rings.input_stages * Schedule::kStageBytes);
    const uint32_t weight_base = shared_address(weight_ring);
    // The stages that the products still under way read; 0: none.
    uint32_t used_input = 0, used_weights = 0;
    const auto release = [&] {
      if (used_input) barrier_arrive_warp(used_input);
      if (used_weights) barrier_arrive_warp(used_weights);
      used_input = used_weights = 0;
    };
    const auto epilogue = make_epilogue();
    const int* own_offsets = offsets + product.warp_column() + lane % 4 * 2;

    for (int round = 0; round < rounds; ++round) {
#pragma unroll
      for (int j = 0; j < Multiply::kColumnTiles; ++j) {
        const int2 offset = Schedule::kCountsBits
                                ? make_int2(0, 0)
                                : *reinterpret_cast<const int2*>(own_offsets + 8 * j);
#pragma unroll
        for (int i = 0; i < Multiply::kRowTiles; ++i) {
          product.sums[i][j][0] = product.sums[i][j][2] = offset.x;
          product.sums[i][j][1] = product.sums[i][j][3] = offset.y;
        }
      }
      product.start();
      if (weights_stay) weight_stage = 0;
      const unsigned char* last_input = nullptr;
      for (int n = 0; n < input_steps; ++n) {
        const uint32_t full = input_full(group, input_stage);
        barrier_wait(full, input_parity);
        const uint32_t input = own_inputs + input_stage * Schedule::kStageBytes;
        for_each_weight_stage<Schedule>([&](auto first_step) {
          const uint32_t filled = weights_full(weight_stage);
          barrier_wait(filled, weights_stay ? 0 : weight_parity);
          product.template multiply<decltype(first_step)::value>(
              input, weight_base + weight_stage * kWeightBytes);
          // A product under way still reads its stages: what can be released are those before.
          if constexpr (Multiply::kAsync) release();
          used_weights = weights_stay ? 0 : empty(filled);
          if constexpr (!Multiply::kAsync) release();
          if (++weight_stage == rings.weight_stages) weight_stage = 0, weight_parity ^= 1;
        });
        used_input = empty(full);
        last_input = inputs + (group * rings.input_stages + input_stage) * Schedule::kStageBytes;
        if (++input_stage == rings.input_stages) input_stage = 0, input_parity ^= 1;
        if constexpr (!Multiply::kAsync) {
          if (n + 1 < input_steps) release();
        }
      }
      // The last input stage also says where the tile lies, and has the counts where there are any.
      const int4 place = *reinterpret_cast<const int4*>(last_input + Schedule::kPlaceOffset);
      const auto write = epilogue(Place{place.x, place.y, place.z});
      product.template wait<0>();
      product.finish();
      if constexpr (!Schedule::kCountsBits) release();
      write(Result<Multiply>{
          product, own_offsets,
          reinterpret_cast<const int*>(last_input + Schedule::kChunks * Schedule::kSlabBytes)});
      if constexpr (Schedule::kCountsBits) release();
    }
  };

  if (group < groups) {
    if constexpr (RegisterShares<kThreads>::kShares)
      take_registers<RegisterShares<kThreads>::kMultiply>();
    multiply_tiles();
  } else {
    if constexpr (RegisterShares<kThreads>::kShares)
      give_registers<RegisterShares<kThreads>::kLoad>();
    if (warp == kTileWarps) {
      load_weights();
    } else if (warp / loaders < groups) {
      load_tiles(warp / loaders, warp % loaders, loaders);
    }
  }
}

}  // namespace mbu
