// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// The threads of one block as fibers of one thread of the CPU, and the scheduler that runs them.
//
// A fiber runs until its warp must do something together, or until it waits for a barrier. Which
// warp goes on then is random, from a seed, with some warps far ahead of others for a while; so is
// when an asynchronous copy lands. Where nobody can go on, that is an error that says who waits for
// what. Every error ends the launch.
#pragma once

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace emulation {

constexpr int kLanes = 32, kMostThreads = 1024, kStackBytes = 256 * 1024;
constexpr int kMostTurns = 2'000'000;  // of one block, which takes some thousands

struct Index {
  unsigned x, y, z;
};

enum class State { kReady, kWarp, kBlock, kBarrier, kDone };

struct Warp;

struct Fiber {
  jmp_buf context;
  ucontext_t first;  // where it has not run yet
  bool started = false;
  State state = State::kDone;
  uint32_t barrier, parity;  // that it waits for
  Warp *warp;
  int lane;
  Index thread;
};

struct Warp {
  int number;
  Fiber *lanes;
  int order = 0;            // lanes take turns in the order i ^ order
  int arrived = 0;          // lanes that are at the warp's next common instruction
  const char *what = "";    // that instruction
  const void *arguments[kLanes];
};

inline Index grid, block, block_index;
inline Fiber *self;  // the fiber that runs
inline Fiber fibers[kMostThreads];
inline Warp warps[kMostThreads / kLanes];
inline int warp_count, block_arrived;
inline std::function<void()> kernel;
inline jmp_buf scheduler, failed;
inline std::string message;

// Copies to shared memory that are under way.
inline std::vector<std::function<void()>> copies;

bool barrier_completed(uint32_t barrier, uint32_t parity);
std::string barrier_text(uint32_t barrier);

// ---- Random numbers. ----

inline uint64_t random_state;

inline unsigned random(unsigned below) {
  random_state ^= random_state << 13, random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (random_state >> 33) % below;
}

// ---- Errors. ----

[[noreturn]] __attribute__((format(printf, 1, 2))) inline void fail(const char *format, ...) {
  char text[4000];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  message = "block " + std::to_string(block_index.x) + " " + std::to_string(block_index.y) + " " +
            std::to_string(block_index.z);
  if (self)
    message += ", warp " + std::to_string(self->warp->number) + ", lane " +
               std::to_string(self->lane);
  message += std::string(": ") + text;
  for (Fiber &fiber : fibers) fiber.started = false;
  self = nullptr;
  _longjmp(failed, 1);
}

inline std::string waiting_for(const Fiber &fiber) {
  switch (fiber.state) {
    case State::kWarp: return std::string("the rest of the warp at ") + fiber.warp->what;
    case State::kBlock: return "the rest of the block at __syncthreads";
    case State::kBarrier:
      return "parity " + std::to_string(fiber.parity) + " of " + barrier_text(fiber.barrier);
    case State::kDone: return "";
    default: return "nothing";
  }
}

[[noreturn]] inline void fail_deadlock() {
  std::string text = "nobody can go on";
  for (int w = 0; w < warp_count; ++w) {
    for (int lane = 0, first = 0; lane < kLanes; ++lane) {
      const std::string wait = waiting_for(warps[w].lanes[lane]);
      if (lane + 1 < kLanes && waiting_for(warps[w].lanes[lane + 1]) == wait) continue;
      if (!wait.empty())
        text += "\n  warp " + std::to_string(w) + " lanes " + std::to_string(first) + "-" +
                std::to_string(lane) + " wait for " + wait;
      first = lane + 1;
    }
  }
  fail("%s", text.c_str());
}

// ---- Switching. ----

inline void enter_fiber() {
  for (;;) {
    kernel();
    self->state = State::kDone;
    if (!_setjmp(self->context)) _longjmp(scheduler, 1);
  }
}

[[noreturn]] inline void resume(Fiber &fiber) {
  self = &fiber;
  if (fiber.started) _longjmp(fiber.context, 1);
  fiber.started = true;
  setcontext(&fiber.first);
  __builtin_unreachable();
}

inline bool can_run(const Fiber &fiber) {
  return fiber.state == State::kReady ||
         (fiber.state == State::kBarrier && barrier_completed(fiber.barrier, fiber.parity));
}

// A lane that can run, by turns, or nullptr.
inline Fiber *next_lane(const Warp &warp, int after) {
  for (int i = 1; i <= kLanes; ++i) {
    Fiber &fiber = warp.lanes[((after ^ warp.order) + i) % kLanes ^ warp.order];
    if (can_run(fiber)) return &fiber;
  }
  return nullptr;
}

// Lets another lane of the warp run, or where none can, or none should, another warp.
[[gnu::noinline]] inline void leave(bool warp_too = false) {
  Fiber *const next = warp_too ? nullptr : next_lane(*self->warp, self->lane);
  if (next == self) return;
  if (_setjmp(self->context)) return;
  if (next) resume(*next);
  _longjmp(scheduler, 1);
}

// Once in a while, the other warps go first.
inline void perhaps_leave(unsigned seldom) {
  if (!random(seldom)) leave(true);
}

[[gnu::noinline]] inline void run_warp(Warp &warp) {
  if (_setjmp(scheduler)) {
    self = nullptr;
    return;
  }
  resume(*next_lane(warp, random(kLanes)));
}

// ---- What threads do together. ----

// All lanes of the warp come here; the last one calls execute(arguments of all lanes).
template <class Argument, class Execute>
void together(const char *what, const Argument &argument, const Execute &execute) {
  Warp &warp = *self->warp;
  if (warp.arrived == 0) warp.what = what;
  if (std::strcmp(warp.what, what))
    fail("the warp is at %s and at %s at the same time", warp.what, what);
  warp.arguments[self->lane] = &argument;
  if (++warp.arrived < kLanes) {
    self->state = State::kWarp;
    leave();
    return;
  }
  warp.arrived = 0;
  execute(reinterpret_cast<const Argument *const *>(warp.arguments));
  for (int lane = 0; lane < kLanes; ++lane) warp.lanes[lane].state = State::kReady;
  warp.order = random(kLanes);
  perhaps_leave(64);
}

inline void synchronize_block() {
  if (++block_arrived < static_cast<int>(block.x)) {
    self->state = State::kBlock;
    leave();
    return;
  }
  block_arrived = 0;
  for (unsigned i = 0; i < block.x; ++i) fibers[i].state = State::kReady;
}

// ---- The scheduler. ----

inline void prepare_block() {
  static char *const stacks = static_cast<char *>(
      mmap(nullptr, static_cast<size_t>(kMostThreads) * kStackBytes, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (stacks == MAP_FAILED) fail("no memory for stacks");
  if (block.x % kLanes || block.x > kMostThreads || block.y != 1 || block.z != 1)
    fail("a block is whole warps of at most %d threads, not %u x %u x %u", kMostThreads, block.x,
         block.y, block.z);
  warp_count = block.x / kLanes;
  for (int w = 0; w < warp_count; ++w) {
    warps[w] = {};
    warps[w].number = w, warps[w].lanes = fibers + w * kLanes;
  }
  for (unsigned i = 0; i < block.x; ++i) {
    Fiber &fiber = fibers[i];
    fiber.state = State::kReady;
    fiber.warp = warps + i / kLanes, fiber.lane = i % kLanes;
    fiber.thread = {i, 0, 0};
    if (fiber.started) continue;
    getcontext(&fiber.first);
    fiber.first.uc_stack.ss_sp = stacks + static_cast<size_t>(i) * kStackBytes;
    fiber.first.uc_stack.ss_size = kStackBytes;
    fiber.first.uc_link = nullptr;
    makecontext(&fiber.first, enter_fiber, 0);
  }
  copies.clear();
  block_arrived = 0;
}

inline void run_block() {
  prepare_block();
  // The last priority is that of copies.
  std::vector<unsigned> priorities(warp_count + 1);
  for (unsigned &priority : priorities) priority = random(1 << 20);
  for (int turns = 0;; ++turns) {
    if (turns == kMostTurns) fail("the block does not end");
    int best = -1;
    bool done = true;
    const auto consider = [&](int which) {
      if (best < 0 || priorities[which] > priorities[best]) best = which;
    };
    for (int w = 0; w < warp_count; ++w) {
      bool runs = false;
      for (int lane = 0; lane < kLanes; ++lane) {
        done = done && warps[w].lanes[lane].state == State::kDone;
        if (!runs && can_run(warps[w].lanes[lane])) runs = true;
      }
      if (runs) consider(w);
    }
    if (!copies.empty()) consider(warp_count);
    if (done && copies.empty()) return;
    if (done) fail("%zu copies were still under way when the block ended", copies.size());
    if (best < 0) fail_deadlock();
    if (best == warp_count) {
      const unsigned which = random(copies.size());
      std::swap(copies[which], copies.back());
      const auto copy = std::move(copies.back());
      copies.pop_back();
      copy();
    } else {
      run_warp(warps[best]);
    }
    if (!random(4)) priorities[random(priorities.size())] = random(1 << 20);
  }
}

}  // namespace emulation
