#include "workers/quant/cuda/cuda_codecs.h"

#include "workers/quant/codecs/q4_k_q5_k-inl.h"
#include "workers/quant/cuda/kernels.cuh"

namespace quantd::quant {
namespace cuda {

unsigned GridOf(int64_t blocks) { return static_cast<unsigned>((blocks + kThreads - 1) / kThreads); }

template <template <class> class Code>
void Encode(const CudaBlocks& blocks, cudaStream_t stream) {
  EncodeKernel<Code<OneLane>><<<GridOf(blocks.blocks), kThreads, 0, stream>>>(
      blocks.weights, blocks.importance, blocks.blocks, blocks.blocks_per_row, blocks.stored);
}

template <template <class> class Code, class Block, void (*kDecode)(const Block&, float*)>
void Measure(const CudaBlocks& blocks, CudaErrorSums* sums, cudaStream_t stream) {
  static_assert(kThreads == kBlocksPerSum);
  ErrorKernel<Code<OneLane>, Block, kDecode>
      <<<GridOf(blocks.blocks), kThreads, 0, stream>>>(blocks.weights, blocks.stored, blocks.blocks, sums);
}

template <template <class> class Code, class Block, void (*kDecode)(const Block&, float*)>
constexpr CudaCodec MakeCodec(std::string_view name) {
  return {name, Encode<Code>, Measure<Code, Block, kDecode>};
}

constexpr CudaCodec kCodecs[] = {
    MakeCodec<Q4_K, BlockQ4_K, DecodeBlock>("Q4_K"),
    MakeCodec<Q5_K, BlockQ5_K, DecodeBlock>("Q5_K"),
};

}  // namespace cuda

const CudaCodec* FindCudaCodec(std::string_view name) {
  for (const CudaCodec& codec : cuda::kCodecs) {
    if (codec.name == name) return &codec;
  }
  return nullptr;
}

void LoadWeights(WeightType type, const void* stored, int64_t count, float* weights, unsigned long long* first,
                 cudaStream_t stream) {
  constexpr unsigned kGrid = 2048;
  constexpr int kThreads = 256;
  const auto* stored16 = static_cast<const uint16_t*>(stored);
  switch (type) {
    case WeightType::kF32:
      cuda::CheckKernel<<<kGrid, kThreads, 0, stream>>>(static_cast<const float*>(stored), count, first);
      return;
    case WeightType::kF16:
      cuda::WidenKernel<cuda::WidenF16><<<kGrid, kThreads, 0, stream>>>(stored16, count, weights, first);
      return;
    case WeightType::kBf16:
      cuda::WidenKernel<cuda::WidenBf16><<<kGrid, kThreads, 0, stream>>>(stored16, count, weights, first);
      return;
  }
}

}  // namespace quantd::quant
