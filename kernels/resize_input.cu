// Copyright 2026 The mbu_ros authors
// SPDX-License-Identifier: Apache-2.0
//
// The camera's bytes to the network's input, in one pass: decode the encoding, resize bilinearly,
// subtract 128, pad. For each encoding there are two kernels: resize_<encoding>, and
// convert_<encoding> for frames that have the network's size already. What they compute is in
// pixels.cuh; here is only who computes what.
//
// Both are bound by memory: 3 bytes a pixel of rgb8 in, 4 out.

#include "dependent_launch.cuh"
#include "pixels.cuh"

/// A slot of the padded image [slot][padded_height][padded_width], one word a pixel.
struct Image {
  uint32_t* pixels;
  int width, height;  // padded

  __device__ Image(uint32_t* image, int slot, int width, int height)
      : pixels(image + (size_t)slot * height * width), width(width), height(height) {}

  __device__ uint32_t* at(int x, int y) const { return pixels + (size_t)y * width + x; }
};

/// A thread takes four neighbouring pixels of a row, so that it loads whole words and stores 16
/// bytes; a warp takes 128 of a row.
template <class Encoding>
__device__ void convert(const Frame& frame, const Image& image, uint32_t padding) {
  mbu::let_next_kernel_start();
  mbu::wait_for_previous_kernel();
  const int x = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (x >= image.width) return;
  for (int y = blockIdx.y * blockDim.y + threadIdx.y; y < image.height;
       y += gridDim.y * blockDim.y) {
    uint32_t pixels[4];
    converted_pixels<Encoding>(frame, x, y, padding, pixels);
    if (image.width % 4 == 0) {
      *reinterpret_cast<uint4*>(image.at(x, y)) =
          make_uint4(pixels[0], pixels[1], pixels[2], pixels[3]);
    } else {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        if (x + i < image.width) *image.at(x + i, y) = pixels[i];
      }
    }
  }
}

/// A thread takes one pixel of a row: its neighbours in the warp then read neighbouring bytes.
template <class Encoding>
__device__ void resize(const Frame& frame, const Tap* columns, const Tap* rows, int width,
                       int height, const Image& image, uint32_t padding) {
  mbu::let_next_kernel_start();
  mbu::wait_for_previous_kernel();
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  if (x >= image.width) return;
  // In the padding the last pixel is read in vain, so that there is no branch to wait at.
  const Tap column = columns[min(x, width - 1)];
  for (int y = blockIdx.y * blockDim.y + threadIdx.y; y < image.height;
       y += gridDim.y * blockDim.y) {
    const uint32_t pixel = resized_pixel<Encoding>(frame, column, rows[min(y, height - 1)]);
    *image.at(x, y) = x < width && y < height ? pixel : padding;
  }
}

// bytes: the frame, `step` bytes a row, of frame_width x frame_height pixels.
// image: int8 [slots][padded_height][padded_width][4], of which `slot` is written, all of it.
// padding: the word that pads, mean - 128 in three bytes.
// columns, rows: of the resized picture, [width] and [height].
#define KERNELS(encoding)                                                                         \
  extern "C" __global__ void convert_##encoding(                                                  \
      const uint8_t* __restrict__ bytes, int frame_width, int frame_height, int step,             \
      uint32_t* __restrict__ image, int slot, int padded_width, int padded_height, int padding) { \
    convert<encoding>(Frame{bytes, frame_width, frame_height, step},                              \
                      Image(image, slot, padded_width, padded_height), padding);                  \
  }                                                                                               \
  extern "C" __global__ void resize_##encoding(                                                   \
      const uint8_t* __restrict__ bytes, int frame_width, int frame_height, int step,             \
      const Tap* __restrict__ columns, const Tap* __restrict__ rows, int width, int height,       \
      uint32_t* __restrict__ image, int slot, int padded_width, int padded_height, int padding) { \
    resize<encoding>(Frame{bytes, frame_width, frame_height, step}, columns, rows, width, height, \
                     Image(image, slot, padded_width, padded_height), padding);                   \
  }

KERNELS(rgb8)
KERNELS(bgr8)
KERNELS(rgba8)
KERNELS(bgra8)
KERNELS(mono8)
KERNELS(uyvy)
KERNELS(yuyv)
KERNELS(nv12)
