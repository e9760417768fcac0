#include "workers/quant/cuda/cuda_codecs.h"

#include "workers/quant/codecs/q4_k_q5_k-inl.h"
#include "workers/quant/cuda/kernels.cuh"

namespace quantd::quant {
namespace cuda {

template <class Function>
void WithSource(WeightType type, Function function) {
  switch (type) {
    case WeightType::kF32:
      return function(F32Source());
    case WeightType::kF16:
      return function(F16Source());
    case WeightType::kBf16:
      return function(Bf16Source());
  }
}

template <class Source>
const typename Source::Stored* WeightsOf(const CudaBlocks& blocks) {
  return static_cast<const typename Source::Stored*>(blocks.weights);
}

unsigned GridOf(int64_t blocks) { return static_cast<unsigned>((blocks + kThreads - 1) / kThreads); }

template <template <class> class Code>
void Encode(const CudaBlocks& blocks, cudaStream_t stream) {
  WithSource(blocks.type, [&](auto source) {
    using Source = decltype(source);
    EncodeKernel<Code<OneLane>, Source><<<GridOf(blocks.blocks), kThreads, 0, stream>>>(
        WeightsOf<Source>(blocks), blocks.importance, blocks.blocks, blocks.blocks_per_row, blocks.stored);
  });
}

template <template <class> class Code, class Block, void (*kDecode)(const Block&, float*)>
void Measure(const CudaBlocks& blocks, CudaErrorSums* sums, cudaStream_t stream) {
  static_assert(kThreads == kBlocksPerSum);
  WithSource(blocks.type, [&](auto source) {
    using Source = decltype(source);
    ErrorKernel<Code<OneLane>, Block, kDecode, Source><<<GridOf(blocks.blocks), kThreads, 0, stream>>>(
        WeightsOf<Source>(blocks), blocks.stored, blocks.blocks, sums);
  });
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

void FindNonFinite(WeightType type, const void* weights, int64_t count, unsigned long long* first, cudaStream_t stream) {
  constexpr unsigned kGrid = 1024;
  constexpr int kThreads = 256;
  if (type == WeightType::kF32) {
    cuda::NonFiniteKernel<<<kGrid, kThreads, 0, stream>>>(static_cast<const uint32_t*>(weights), count, 0x7f800000u, first);
  } else {
    const uint16_t exponent = type == WeightType::kF16 ? 0x7c00 : 0x7f80;
    cuda::NonFiniteKernel<<<kGrid, kThreads, 0, stream>>>(static_cast<const uint16_t*>(weights), count, exponent, first);
  }
}

}  // namespace quantd::quant
