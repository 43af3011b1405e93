// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// In place of kernels/ptx.cuh: the same functions, doing what the PTX ISA says of the instructions.
// Copies land late, at a random time; until then, what they write to is poisoned.
#pragma once

#include <algorithm>
#include <cstdint>

#include "features.cuh"

namespace mbu {

constexpr uint32_t kSharedWindow = 1024;  // where dynamic shared memory starts

inline uint32_t shared_address(const void *pointer) {
  return static_cast<const unsigned char *>(pointer) - shared + kSharedWindow;
}

}  // namespace mbu

namespace emulation {

inline unsigned char *at_shared(uint32_t address, unsigned bytes, unsigned alignment) {
  const uint32_t offset = address - mbu::kSharedWindow;
  if (address < mbu::kSharedWindow || offset + bytes > shared_bytes)
    fail("%u bytes at %u: outside of %u bytes of shared memory", bytes, offset, shared_bytes);
  if (address % alignment) fail("%u bytes at shared %u: not aligned", bytes, offset);
  return mbu::shared + offset;
}

// ---- Barriers. ----

constexpr int kMostArrivals = (1 << 20) - 1;

// The 64 bits of an mbarrier.
struct Barrier {
  uint64_t pending : 20, arrivals : 20, phase : 1;
  int64_t bytes : 23;  // that copies have yet to bring
};
static_assert(sizeof(Barrier) == 8, "an mbarrier has 64 bits");

inline std::set<uint32_t> initialized;  // barriers

inline Barrier &barrier_at(uint32_t address) {
  if (!initialized.count(address))
    fail("no barrier was initialized at shared %u", address - mbu::kSharedWindow);
  return *reinterpret_cast<Barrier *>(at_shared(address, 8, 8));
}

inline bool barrier_completed(uint32_t address, uint32_t parity) {
  return barrier_at(address).phase != parity;
}

inline std::string barrier_text(uint32_t address) {
  const Barrier &barrier = barrier_at(address);
  return "the barrier at shared " + std::to_string(address - mbu::kSharedWindow) + " (parity " +
         std::to_string(barrier.phase) + ", lacks " + std::to_string(barrier.pending) + " of " +
         std::to_string(barrier.arrivals) + " arrivals and " + std::to_string(barrier.bytes) +
         " bytes)";
}

inline void barrier_update(uint32_t address, int arrivals, int bytes) {
  Barrier &barrier = barrier_at(address);
  if (static_cast<int>(barrier.pending) < arrivals)
    fail("one arrival too many at %s", barrier_text(address).c_str());
  barrier.pending -= arrivals;
  barrier.bytes += bytes;
  if (barrier.pending || barrier.bytes) return;
  barrier.pending = barrier.arrivals;
  barrier.phase ^= 1;
}

// ---- Copies. ----

struct Copy {
  uint32_t to;
  const void *from;
  unsigned bytes;

  void start() const {
    if (reinterpret_cast<uintptr_t>(from) % 16) fail("a copy from an address not aligned to 16");
    std::memset(at_shared(to, bytes, 16), kPoison, bytes);
  }
  void land() const { std::memcpy(at_shared(to, bytes, 16), from, bytes); }
};

inline std::vector<Copy> own_copies[kMostThreads];  // of threads, not yet bound to a barrier

// ---- Products of matrices. ----

// One operand of m16n8k256 or of the first k bits of it: registers of all lanes to rows.
template <int kRows>
struct Bits {
  uint64_t row[kRows][4];
};

// Word t of half h of row r lies with lane 4 (r % 8) + t.
template <int kRows, class Word>
Bits<kRows> gather(const Word &word) {
  uint32_t words[kRows][8];
  for (int row = 0; row < kRows; ++row)
    for (int half = 0; half < 2; ++half)
      for (int t = 0; t < 4; ++t) words[row][4 * half + t] = word(row % 8 * 4 + t, row / 8, half);
  Bits<kRows> bits;
  std::memcpy(bits.row, words, sizeof(words));
  return bits;
}

inline int common_bits(const uint64_t (&a)[4], const uint64_t (&b)[4]) {
  int count = 0;
  for (int i = 0; i < 4; ++i) count += __builtin_popcountll(a[i] & b[i]);
  return count;
}

// The addresses of operands that a warp has loaded since its last wgmma fence.
inline std::set<const void *> loaded[kMostThreads / kLanes];

template <int kMatrices>
void load_matrices(const char *what, uint32_t *const (&words)[kMatrices], uint32_t address) {
  struct Argument {
    uint32_t address;
    uint32_t *const *words;
  };
  together(what, Argument{address, words}, [](const Argument *const *lanes) {
    for (int row = 0; row < 8 * kMatrices; ++row) {
      const unsigned char *from = at_shared(lanes[row]->address, 16, 16);
      for (int t = 0; t < 4; ++t)
        std::memcpy(lanes[row % 8 * 4 + t]->words[row / 8], from + 4 * t, 4);
    }
    loaded[self->warp->number].insert(lanes[0]->words[0]);
  });
}

// sums[16 x 8] = start + a * b, of rows of signed bytes.
template <int kHalves>
void multiply_signed_bytes(const char *what, int (&sums)[4], const int (&start)[4],
                           const uint32_t (&a)[2 * kHalves], const uint32_t (&b)[kHalves]) {
  struct Argument {
    int *sums;
    const int *start;
    const uint32_t *a, *b;
  };
  together(what, Argument{sums, start, a, b}, [](const Argument *const *lanes) {
    const auto dot = [](uint32_t x, uint32_t y) {
      int sum = 0;
      for (int i = 0; i < 32; i += 8)
        sum += static_cast<int8_t>(x >> i) * static_cast<int8_t>(y >> i);
      return sum;
    };
    for (int lane = 0; lane < kLanes; ++lane)
      for (int i = 0; i < 4; ++i) {
        const int row = lane / 4, column = lane % 4 * 2 + i % 2;
        unsigned sum = lanes[lane]->start[i];  // wraps around, as the instruction does
        for (int half = 0; half < kHalves; ++half)
          for (int t = 0; t < 4; ++t)
            sum += dot(lanes[row * 4 + t]->a[2 * half + i / 2], lanes[column * 4 + t]->b[half]);
        lanes[lane]->sums[i] = sum;
      }
  });
}

}  // namespace emulation

namespace mbu {

template <int kRegisters>
void take_registers() {}

template <int kRegisters>
void give_registers() {}

template <class T>
void hold_in_register(T &) {}

template <uint32_t kSelector>
uint32_t permute_bytes(uint32_t a, uint32_t b) {
  const uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const int selector = kSelector >> 4 * i & 15;
    uint32_t byte = bytes >> 8 * (selector & 7) & 255;
    if (selector & 8) byte = byte & 128 ? 255 : 0;
    result |= byte << 8 * i;
  }
  return result;
}

inline uint32_t saturated_bytes(int a, int b, int c, int d) {
  const int numbers[4] = {a, b, c, d};
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i)
    result |= static_cast<uint8_t>(std::clamp(numbers[i], -128, 127)) << 8 * i;
  return result;
}

// ---- Barriers. ----

inline void barrier_init(uint32_t barrier, int arrivals) {
  if (arrivals < 1 || arrivals > emulation::kMostArrivals)
    emulation::fail("a barrier of %d arrivals", arrivals);
  if (!emulation::initialized.insert(barrier).second)
    emulation::fail("the barrier at shared %u was initialized twice", barrier - kSharedWindow);
  auto &initial = emulation::barrier_at(barrier);
  initial.pending = initial.arrivals = arrivals;
  initial.phase = initial.bytes = 0;
}

inline void barrier_arrive(uint32_t barrier) {
  emulation::barrier_update(barrier, 1, 0);
  emulation::perhaps_leave(4);
}

constexpr int kArrivalsOfWarp = 1;
inline void barrier_arrive_warp(uint32_t barrier) {
  __syncwarp();
  if (threadIdx.x % 32 == 0) barrier_arrive(barrier);
}

// Each lane looks for itself, as lanes that are not together do: some may see a phase that others miss.
inline void barrier_wait(uint32_t barrier, uint32_t parity) {
  using emulation::self;
  emulation::perhaps_leave(64);
  while (!emulation::barrier_completed(barrier, parity)) {
    self->barrier = barrier, self->parity = parity;
    self->state = emulation::State::kBarrier;
    emulation::leave();
  }
  self->state = emulation::State::kReady;
}

inline void fence_barrier_init() {}

// ---- Copies from global to shared memory, completing on a barrier. ----

#if MBU_HAS_BULK_COPY
inline void bulk_copy(uint32_t to, const void *from, uint32_t bytes, uint32_t barrier) {
  if (bytes % 16) emulation::fail("a bulk copy of %u bytes", bytes);
  emulation::barrier_update(barrier, 0, bytes);
  emulation::barrier_update(barrier, 1, 0);
  const emulation::Copy copy{to, from, bytes};
  copy.start();
  emulation::copies.push_back([=] {
    copy.land();
    emulation::barrier_update(barrier, 0, -static_cast<int>(bytes));
  });
}
#endif

inline void copy_async_16(uint32_t to, const void *from) {
  const emulation::Copy copy{to, from, 16};
  copy.start();
  emulation::own_copies[threadIdx.x].push_back(copy);
}

inline void arrive_when_copied(uint32_t barrier) {
  auto &own = emulation::own_copies[threadIdx.x];
  emulation::copies.push_back([=, landing = std::move(own)] {
    for (const emulation::Copy &copy : landing) copy.land();
    emulation::barrier_update(barrier, 1, 0);
  });
  own.clear();
}

// ---- Tensor Cores, mma.sync. ----

inline void load_matrices(uint32_t (&words)[4], uint32_t address) {
  emulation::load_matrices<4>("ldmatrix.x4", {words, words + 1, words + 2, words + 3}, address);
}

inline void load_two_matrices(uint32_t &first, uint32_t &second, uint32_t address) {
  emulation::load_matrices<2>("ldmatrix.x2", {&first, &second}, address);
}

inline void multiply_bits(int (&sums)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  struct Argument {
    int *sums;
    const uint32_t *a;
    uint32_t b[2];
  };
  emulation::together(
      "mma.m16n8k256 of bits", Argument{sums, a, {b0, b1}}, [](const Argument *const *lanes) {
        const auto a = emulation::gather<16>(
            [&](int lane, int below, int half) { return lanes[lane]->a[2 * half + below]; });
        const auto b = emulation::gather<8>(
            [&](int lane, int, int half) { return lanes[lane]->b[half]; });
        for (int lane = 0; lane < emulation::kLanes; ++lane)
          for (int i = 0; i < 4; ++i)
            lanes[lane]->sums[i] += emulation::common_bits(a.row[lane / 4 + i / 2 * 8],
                                                           b.row[lane % 4 * 2 + i % 2]);
      });
}

inline void multiply_bytes(int (&sums)[4], const int (&start)[4], uint32_t a0, uint32_t a1,
                           uint32_t a2, uint32_t a3, uint32_t b0, uint32_t b1) {
  emulation::multiply_signed_bytes<2>("mma.m16n8k32 of bytes", sums, start, {a0, a1, a2, a3},
                                      {b0, b1});
}

inline void multiply_half_bytes(int (&sums)[4], uint32_t a0, uint32_t a1, uint32_t b0) {
  emulation::multiply_signed_bytes<1>("mma.m16n8k16 of bytes", sums, sums, {a0, a1}, {b0});
}

}  // namespace mbu
