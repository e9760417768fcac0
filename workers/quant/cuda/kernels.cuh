// The GPU's kernels: one block a thread.
#pragma once

#include <cstdint>
#include <cstring>

#include "workers/quant/cuda/block_views.cuh"
#include "workers/quant/cuda/cuda_codecs.h"

namespace quantd::quant::cuda {

inline constexpr int kThreads = 128;

// Encodes `blocks` blocks that follow each other in memory; `importance` is null or one number for each column of a
// row of blocks_per_row blocks.
template <class Code, class Source>
__global__ void __launch_bounds__(kThreads)
    EncodeKernel(const typename Source::Stored* weights, const float* importance, int64_t blocks, int64_t blocks_per_row,
                 uint8_t* out) {
  const int64_t block = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (block >= blocks) return;
  const BlockView<Source> view(weights + block * Code::kWeights);
  BlockWords<Code::kBytes, Code::kLead> words(out + block * Code::kBytes);
  if (importance != nullptr) {
    Code::Encode(view, BlockView<F32Source>(importance + block % blocks_per_row * Code::kWeights), words);
  } else {
    Code::Encode(view, NoImportance(), words);
  }
}

// Decodes what was stored and compares it with the source. Sums are taken in a fixed order: results repeat.
template <class Code, class Block, void (*kDecode)(const Block&, float*), class Source>
__global__ void __launch_bounds__(kThreads)
    ErrorKernel(const typename Source::Stored* weights, const uint8_t* stored, int64_t blocks, CudaErrorSums* sums) {
  __shared__ CudaErrorSums shared[kThreads];
  const int64_t block = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  CudaErrorSums mine = {0.0, 0.0, 0.0f};
  if (block < blocks) {
    float decoded[Code::kWeights];
    kDecode(reinterpret_cast<const Block*>(stored)[block], decoded);
    const BlockView<Source> view(weights + block * Code::kWeights);
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

// Lowers *first to the index of the first weight whose exponent bits are all ones: NaN or infinity.
template <class Stored>
__global__ void NonFiniteKernel(const Stored* weights, int64_t count, Stored exponent, unsigned long long* first) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    if ((weights[i] & exponent) == exponent) atomicMin(first, static_cast<unsigned long long>(i));
  }
}

}  // namespace quantd::quant::cuda
