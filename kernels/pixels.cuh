// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// Camera bytes to RGB, bilinear interpolation, and the network's form of a pixel: all per pixel,
// all in integers, all exactly as OpenCV does it on the CPU (cvtColor, then INTER_LINEAR_EXACT).
//
// Little-endian words, as on x86 and ARM.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MBU_PIXEL static __device__ __forceinline__

/// A camera's picture in memory.
struct Frame {
  const uint8_t* bytes;  // aligned to 16; rows of `step` bytes
  int width, height;     // pixels; even where an encoding shares colour between neighbours
  int step;              // bytes from row to row, at least a row's own; any number
};

/// 0 to 255 each.
struct Rgb {
  int red, green, blue;
};

/// Where one output line or column of the bilinear resize lies: between input lines `index` and
/// `index + 1`, of which the second counts `next` / 256 and the first the rest. A frame of one
/// line has no second one; `next` is then 0.
struct Tap {
  int index;
  int next;  // 0 to 256
};

MBU_PIXEL const uint8_t* frame_row(const Frame& frame, int row) {
  return frame.bytes + (size_t)row * frame.step;
}

/// N words from an address that is aligned to 4: in one load where it is aligned to all of them.
template <int N>
MBU_PIXEL void load_words(const uint8_t* address, uint32_t* words) {
  if constexpr (N == 4) {
    if ((uintptr_t)address % 16 == 0) {
      const uint4 all = __ldg(reinterpret_cast<const uint4*>(address));
      words[0] = all.x, words[1] = all.y, words[2] = all.z, words[3] = all.w;
      return;
    }
  }
  if constexpr (N == 2) {
    if ((uintptr_t)address % 8 == 0) {
      const uint2 both = __ldg(reinterpret_cast<const uint2*>(address));
      words[0] = both.x, words[1] = both.y;
      return;
    }
  }
#pragma unroll
  for (int i = 0; i < N; i++) words[i] = __ldg(reinterpret_cast<const uint32_t*>(address) + i);
}

MBU_PIXEL int byte_of(const uint32_t* words, int i) { return words[i / 4] >> 8 * (i % 4) & 255; }

MBU_PIXEL int clamp_to_byte(int value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

/// Limited-range BT.601, in OpenCV's 20-bit fixed point: factors 1.164, 1.596, 0.813, 0.391, 2.018.
/// Below black, luma counts as black. No sum leaves 31 bits.
MBU_PIXEL Rgb yuv_to_rgb(int y, int u, int v) {
  const int luma = 1220542 * (y > 16 ? y - 16 : 0) + (1 << 19);
  u -= 128;
  v -= 128;
  return {clamp_to_byte((luma + 1673527 * v) >> 20),
          clamp_to_byte((luma - 852492 * v - 409993 * u) >> 20),
          clamp_to_byte((luma + 2116026 * u) >> 20)};
}

// An encoding is a class of
//   read(frame, x, y)            the pixel in column x of row y;
//   WORDS, load(frame, x, y, words), unpack(words, i)
//                                four neighbours at once, from a column x that 4 divides, and pixel
//                                i of them; for rows that are aligned to 4.

/// Bytes of a pixel side by side: how many, and which of them is which colour.
template <int BYTES, int RED, int GREEN, int BLUE>
struct Packed {
  static constexpr int WORDS = BYTES;

  MBU_PIXEL Rgb read(const Frame& frame, int x, int y) {
    const uint8_t* pixel = frame_row(frame, y) + (size_t)x * BYTES;
    return {pixel[RED], pixel[GREEN], pixel[BLUE]};
  }

  MBU_PIXEL void load(const Frame& frame, int x, int y, uint32_t* words) {
    load_words<WORDS>(frame_row(frame, y) + (size_t)x * BYTES, words);
  }

  MBU_PIXEL Rgb unpack(const uint32_t* words, int i) {
    return {byte_of(words, i * BYTES + RED), byte_of(words, i * BYTES + GREEN),
            byte_of(words, i * BYTES + BLUE)};
  }
};

/// 4:2:2 in 4 bytes for two pixels: U Y V Y or Y U Y V; LUMA is the place of the first Y.
template <int LUMA>
struct Yuv422 {
  static constexpr int WORDS = 2;

  MBU_PIXEL Rgb read(const Frame& frame, int x, int y) {
    const uint8_t* pair = frame_row(frame, y) + (size_t)(x & ~1) * 2;
    return yuv_to_rgb(pair[(x & 1) * 2 + LUMA], pair[1 - LUMA], pair[3 - LUMA]);
  }

  MBU_PIXEL void load(const Frame& frame, int x, int y, uint32_t* words) {
    load_words<WORDS>(frame_row(frame, y) + (size_t)x * 2, words);
  }

  MBU_PIXEL Rgb unpack(const uint32_t* words, int i) {
    const int pair = i / 2 * 4;
    return yuv_to_rgb(byte_of(words, i * 2 + LUMA), byte_of(words, pair + 1 - LUMA),
                      byte_of(words, pair + 3 - LUMA));
  }
};

/// 4:2:0: a plane of luma, then half as many rows of U V U V..., each pair for 2x2 pixels.
struct Nv12 {
  static constexpr int WORDS = 2;  // one of luma, one of colour

  MBU_PIXEL const uint8_t* colour_row(const Frame& frame, int y) {
    return frame_row(frame, frame.height + y / 2);
  }

  MBU_PIXEL Rgb read(const Frame& frame, int x, int y) {
    const uint8_t* pair = colour_row(frame, y) + (x & ~1);
    return yuv_to_rgb(frame_row(frame, y)[x], pair[0], pair[1]);
  }

  MBU_PIXEL void load(const Frame& frame, int x, int y, uint32_t* words) {
    load_words<1>(frame_row(frame, y) + x, words);
    load_words<1>(colour_row(frame, y) + x, words + 1);
  }

  MBU_PIXEL Rgb unpack(const uint32_t* words, int i) {
    const int pair = 4 + i / 2 * 2;
    return yuv_to_rgb(byte_of(words, i), byte_of(words, pair), byte_of(words, pair + 1));
  }
};

using rgb8 = Packed<3, 0, 1, 2>;
using bgr8 = Packed<3, 2, 1, 0>;
using rgba8 = Packed<4, 0, 1, 2>;
using bgra8 = Packed<4, 2, 1, 0>;
using mono8 = Packed<1, 0, 0, 0>;
using uyvy = Yuv422<1>;
using yuyv = Yuv422<0>;
using nv12 = Nv12;

/// The network's pixel: int8 (R - 128, G - 128, B - 128, 0) in one word.
MBU_PIXEL uint32_t network_pixel(Rgb rgb) {
  // Subtracting 128 from a byte, as int8, is flipping its highest bit.
  return (uint32_t)(rgb.red | rgb.green << 8 | rgb.blue << 16) ^ 0x808080u;
}

/// One colour between four pixels. The first two products are OpenCV's 8.8 fixed point, their
/// products with the line's weights 16.16; it rounds once, at the end.
MBU_PIXEL int interpolate(int top_left, int top_right, int bottom_left, int bottom_right, int right,
                          int bottom) {
  const int above = top_left * (256 - right) + top_right * right;
  const int below = bottom_left * (256 - right) + bottom_right * right;
  return (above * (256 - bottom) + below * bottom + (1 << 15)) >> 16;
}

/// The network's pixel that lies where `column` and `row` say.
template <class Encoding>
MBU_PIXEL uint32_t resized_pixel(const Frame& frame, Tap column, Tap row) {
  const int x = column.index, next_x = x + (frame.width > 1);
  const int y = row.index, next_y = y + (frame.height > 1);
  const Rgb a = Encoding::read(frame, x, y), b = Encoding::read(frame, next_x, y);
  const Rgb c = Encoding::read(frame, x, next_y), d = Encoding::read(frame, next_x, next_y);
  return network_pixel({interpolate(a.red, b.red, c.red, d.red, column.next, row.next),
                        interpolate(a.green, b.green, c.green, d.green, column.next, row.next),
                        interpolate(a.blue, b.blue, c.blue, d.blue, column.next, row.next)});
}

/// Four neighbours of a frame that has the network's size, from a column x that 4 divides. What
/// lies right of or below the frame is `padding`.
template <class Encoding>
MBU_PIXEL void converted_pixels(const Frame& frame, int x, int y, uint32_t padding,
                                uint32_t* pixels) {
  if (y < frame.height && x + 4 <= frame.width && frame.step % 4 == 0) {
    uint32_t words[Encoding::WORDS];
    Encoding::load(frame, x, y, words);
#pragma unroll
    for (int i = 0; i < 4; i++) pixels[i] = network_pixel(Encoding::unpack(words, i));
  } else {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const bool inside = y < frame.height && x + i < frame.width;
      pixels[i] = inside ? network_pixel(Encoding::read(frame, x + i, y)) : padding;
    }
  }
}
