// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// In place of kernels/wgmma.cuh. A product is done at the last possible moment, when its group is
// waited for: so sums that are used before, and weights that are overwritten before, are wrong.
// Each warp does its 16 rows; that the four warps of a group issue the same products is checked.
#pragma once

#include "ptx.cuh"

#if MBU_HAS_WGMMA

namespace emulation {

struct Product {
  int columns;
  uint64_t weights;  // descriptor
  int *sums[kLanes];
  uint32_t a[kLanes][4];
};

struct Products {
  std::vector<Product> issued;              // and not yet committed
  std::deque<std::vector<Product>> groups;  // and not yet waited for
  bool fenced = false;
  int count = 0;  // issued by this warp
};

inline Products products[kMostThreads / kLanes];
inline std::vector<std::pair<int, uint64_t>> issued_of_group[kMostThreads / kLanes / 4];

// Weights are units of 8 columns x 16 bytes, 128 consecutive bytes. (PTX ISA, matrix descriptor.)
inline uint32_t unit_address(uint64_t descriptor, int unit, int half) {
  const auto field = [&](int from) {
    return static_cast<uint32_t>(descriptor >> from & 0x3fff) << 4;
  };
  const uint32_t start = field(0), between_halves = field(16), between_units = field(32);
  return start + unit * between_units + half * between_halves;
}

inline void multiply(const Product &product) {
  const auto a = gather<16>(
      [&](int lane, int below, int half) { return product.a[lane][2 * half + below]; });
  for (int unit = 0; unit < product.columns / 8; ++unit) {
    uint64_t b[8][4];
    for (int half = 0; half < 2; ++half) {
      const unsigned char *from =
          at_shared(unit_address(product.weights, unit, half), 128, 16);
      for (int column = 0; column < 8; ++column)
        std::memcpy(b[column] + 2 * half, from + 16 * column, 16);
    }
    for (int lane = 0; lane < kLanes; ++lane)
      for (int i = 0; i < 4; ++i)
        product.sums[lane][4 * unit + i] +=
            common_bits(a.row[lane / 4 + i / 2 * 8], b[lane % 4 * 2 + i % 2]);
  }
}

inline void issue(int columns, int *sums, const uint32_t *a, uint64_t weights) {
  struct Argument {
    int columns;
    int *sums;
    const uint32_t *a;
    uint64_t weights;
  };
  together("wgmma", Argument{columns, sums, a, weights}, [](const Argument *const *lanes) {
    const int warp = self->warp->number;
    Products &own = products[warp];
    const Argument &first = *lanes[0];
    if (!own.fenced || loaded[warp].count(first.a))
      fail("wgmma reads registers that were written after the last wgmma.fence");
    if (first.weights >> 62 || first.weights >> 49 & 7 || first.weights >> 18 >> 44)
      fail("wgmma with a descriptor of swizzled weights");
    Product product{first.columns, first.weights, {}, {}};
    for (int lane = 0; lane < kLanes; ++lane) {
      if (lanes[lane]->weights != first.weights) fail("wgmma with two descriptors in a warp");
      product.sums[lane] = lanes[lane]->sums;
      std::memcpy(product.a[lane], lanes[lane]->a, sizeof(product.a[lane]));
    }
    own.issued.push_back(product);
    auto &group = issued_of_group[warp / 4];
    const std::pair<int, uint64_t> same{first.columns, first.weights};
    if (own.count == static_cast<int>(group.size())) group.push_back(same);
    if (group[own.count++] != same) fail("the warps of a warpgroup issue different products");
  });
}

inline void wait_for_products(unsigned left) {
  together("wgmma.wait_group", left, [](const unsigned *const *lanes) {
    auto &groups = products[self->warp->number].groups;
    for (; groups.size() > *lanes[0]; groups.pop_front())
      for (const Product &product : groups.front()) multiply(product);
  });
}

inline void forget_products() {
  for (Products &own : products) own = {};
  for (auto &group : issued_of_group) group.clear();
}

inline void check_products() {
  for (int w = 0; w < warp_count; ++w) {
    if (!products[w].issued.empty() || !products[w].groups.empty())
      fail("warp %d ended without waiting for its products", w);
    if (products[w].count != static_cast<int>(issued_of_group[w / 4].size()))
      fail("the warps of a warpgroup issue different products");
  }
}

}  // namespace emulation

namespace mbu {

inline void pin_register(int &) {}

inline void wgmma_fence() {
  emulation::together("wgmma.fence", 0, [](const int *const *) {
    const int warp = emulation::self->warp->number;
    emulation::products[warp].fenced = true;
    emulation::loaded[warp].clear();
  });
}

inline void wgmma_commit() {
  emulation::together("wgmma.commit_group", 0, [](const int *const *) {
    auto &own = emulation::products[emulation::self->warp->number];
    own.groups.push_back(std::move(own.issued));
    own.issued.clear();
  });
}

template <int kLeft>
void wgmma_wait() {
  emulation::wait_for_products(kLeft);
}

template <int kColumns>
struct Wgmma {
  static void multiply(int (&sums)[kColumns / 8][4], const uint32_t (&a)[4], uint64_t b) {
    emulation::issue(kColumns, sums[0], a, b);
  }
};

}  // namespace mbu

#else

namespace emulation {
inline void forget_products() {}
inline void check_products() {}
}  // namespace emulation

namespace mbu {
inline void pin_register(int &) {}
template <int kLeft>
void wgmma_wait() {}
}  // namespace mbu

#endif
