// The GPU's kernels: one block a thread.
#pragma once

#include <cstdint>
#include <cstring>

#include "workers/quant/cuda/block_views.cuh"
#include "workers/quant/cuda/cuda_codecs.h"
#include "workers/quant/half.h"

namespace quantd::quant::cuda {

inline constexpr int kThreads = 128;

template <class Code, class Importance, class Words>
__device__ void EncodeBlock(const IqGrid& grid, const BlockView& view, const Importance& importance, Words& words) {
  if constexpr (requires { Code::kGrid; }) {
    Code::Encode(grid, view, importance, words);
  } else {
    Code::Encode(view, importance, words);
  }
}

// Encodes blocks that follow each other in memory.
template <class Code>
__global__ void __launch_bounds__(kThreads) EncodeKernel(CudaBlocks blocks) {
  const int64_t block = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (block >= blocks.blocks) return;
  const BlockView view(blocks.weights + block * Code::kWeights);
  BlockWords<Code::kBytes, Code::kLead> words(blocks.stored + block * Code::kBytes);
  if (blocks.importance != nullptr) {
    const int64_t row = block / blocks.blocks_per_row, column = block % blocks.blocks_per_row * Code::kWeights;
    const ImportanceBlockView importance(blocks.importance + column, blocks.row_mean_squares[row]);
    EncodeBlock<Code>(blocks.grid, view, importance, words);
  } else if constexpr (!requires { Code::kRequiresImportance; }) {
    EncodeBlock<Code>(blocks.grid, view, NoImportance(), words);
  }
}

// The mean square of each row, summed one weight after the other as on the CPU: a thread a row.
inline __global__ void RowMeanSquareKernel(const float* weights, int64_t rows, int64_t columns, float* mean_squares) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  float sum = 0.0f;
  for (int64_t i = 0; i < columns; ++i) sum += weights[row * columns + i] * weights[row * columns + i];
  mean_squares[row] = sum / static_cast<float>(columns);
}

// Calls a codec's DecodeBlock, with or without a grid.
template <class Block, void (*kDecode)(const Block&, float*)>
struct PlainDecoder {
  static __device__ void Decode(const IqGrid&, const Block& block, float* weights) { kDecode(block, weights); }
};
template <class Block, void (*kDecode)(const IqGrid&, const Block&, float*)>
struct GridDecoder {
  static __device__ void Decode(const IqGrid& grid, const Block& block, float* weights) {
    kDecode(grid, block, weights);
  }
};

// Decodes what was stored and compares it with the source. Sums are taken in a fixed order: results repeat.
template <class Code, class Block, class Decoder>
__global__ void __launch_bounds__(kThreads) ErrorKernel(CudaBlocks blocks, CudaErrorSums* sums) {
  __shared__ CudaErrorSums shared[kThreads];
  const int64_t block = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  CudaErrorSums mine = {0.0, 0.0, 0.0f};
  if (block < blocks.blocks) {
    float decoded[Code::kWeights];
    Decoder::Decode(blocks.grid, reinterpret_cast<const Block*>(blocks.stored)[block], decoded);
    const BlockView view(blocks.weights + block * Code::kWeights);
    float difference = 0.0f, magnitude = 0.0f;
    for (int i = 0; i < Code::kWeights; ++i) {
      const float weight = view[i], delta = decoded[i] - weight;
      difference += delta * delta;
      magnitude += weight * weight;
      mine.largest = fmaxf(mine.largest, fabsf(delta));
    }
    mine.squared_difference = difference;
    mine.squared_source = magnitude;
  }
  shared[threadIdx.x] = mine;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      CudaErrorSums& to = shared[threadIdx.x];
      const CudaErrorSums& from = shared[threadIdx.x + half];
      to.squared_difference += from.squared_difference;
      to.squared_source += from.squared_source;
      to.largest = fmaxf(to.largest, from.largest);
    }
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = shared[0];
}

// Stored weights as floats. Exact.
struct WidenF16 {
  static constexpr uint16_t kExponent = 0x7c00;
  static __device__ float Widen(uint16_t stored) { return HalfToFloat(stored); }
};
struct WidenBf16 {
  static constexpr uint16_t kExponent = 0x7f80;
  static __device__ float Widen(uint16_t stored) { return __uint_as_float(static_cast<uint32_t>(stored) << 16); }
};

// Widens 16-bit weights, and lowers *first to the index of the first one whose exponent bits are all ones: NaN or
// infinity.
template <class Source>
__global__ void WidenKernel(const uint16_t* stored, int64_t count, float* weights, unsigned long long* first) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    weights[i] = Source::Widen(stored[i]);
    if ((stored[i] & Source::kExponent) == Source::kExponent) atomicMin(first, static_cast<unsigned long long>(i));
  }
}

inline __global__ void CheckKernel(const float* weights, int64_t count, unsigned long long* first) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    if ((__float_as_uint(weights[i]) & 0x7f800000u) == 0x7f800000u) atomicMin(first, static_cast<unsigned long long>(i));
  }
}

}  // namespace quantd::quant::cuda
