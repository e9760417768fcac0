#include "workers/quant/cuda/cuda_codecs.h"

#include "workers/quant/codecs/fp4-inl.h"
#include "workers/quant/codecs/iq1-inl.h"
#include "workers/quant/codecs/iq2-inl.h"
#include "workers/quant/codecs/iq3-inl.h"
#include "workers/quant/codecs/iq4-inl.h"
#include "workers/quant/codecs/q2_k-inl.h"
#include "workers/quant/codecs/q3_k-inl.h"
#include "workers/quant/codecs/q4_k_q5_k-inl.h"
#include "workers/quant/codecs/q6_k-inl.h"
#include "workers/quant/codecs/small_blocks-inl.h"
#include "workers/quant/codecs/ternary-inl.h"
#include "workers/quant/cuda/kernels.cuh"

namespace quantd::quant {
namespace cuda {

unsigned GridOf(int64_t blocks) { return static_cast<unsigned>((blocks + kThreads - 1) / kThreads); }

template <template <class> class Code>
void Encode(const CudaBlocks& blocks, cudaStream_t stream) {
  using LaneCode = Code<OneLane>;
  if constexpr (requires { LaneCode::kUsesRowMeanSquare; }) {
    if (blocks.importance != nullptr) {
      const int64_t rows = blocks.blocks / blocks.blocks_per_row;
      RowMeanSquareKernel<<<GridOf(rows), kThreads, 0, stream>>>(
          blocks.weights, rows, blocks.blocks_per_row * LaneCode::kWeights, blocks.row_mean_squares);
    }
  }
  EncodeKernel<LaneCode><<<GridOf(blocks.blocks), kThreads, 0, stream>>>(blocks);
}

template <template <class> class Code, class Block, class Decoder>
void Measure(const CudaBlocks& blocks, CudaErrorSums* sums, cudaStream_t stream) {
  static_assert(kThreads == kBlocksPerSum);
  ErrorKernel<Code<OneLane>, Block, Decoder><<<GridOf(blocks.blocks), kThreads, 0, stream>>>(blocks, sums);
}

template <template <class> class Code, class Block, void (*kDecode)(const Block&, float*)>
constexpr CudaCodec MakeCodec(std::string_view name) {
  return {name, std::nullopt, Encode<Code>, Measure<Code, Block, PlainDecoder<Block, kDecode>>};
}

template <template <class> class Code, class Block, void (*kDecode)(const IqGrid&, const Block&, float*)>
constexpr CudaCodec MakeCodec(std::string_view name) {
  return {name, Code<OneLane>::kGrid, Encode<Code>, Measure<Code, Block, GridDecoder<Block, kDecode>>};
}

constexpr CudaCodec kCodecs[] = {
    MakeCodec<Q4_0, BlockQ4_0, DecodeBlock>("Q4_0"),       MakeCodec<Q4_1, BlockQ4_1, DecodeBlock>("Q4_1"),
    MakeCodec<Q5_0, BlockQ5_0, DecodeBlock>("Q5_0"),       MakeCodec<Q5_1, BlockQ5_1, DecodeBlock>("Q5_1"),
    MakeCodec<Q8_0, BlockQ8_0, DecodeBlock>("Q8_0"),       MakeCodec<Q2_K, BlockQ2_K, DecodeBlock>("Q2_K"),
    MakeCodec<Q3_K, BlockQ3_K, DecodeBlock>("Q3_K"),       MakeCodec<Q4_K, BlockQ4_K, DecodeBlock>("Q4_K"),
    MakeCodec<Q5_K, BlockQ5_K, DecodeBlock>("Q5_K"),       MakeCodec<Q6_K, BlockQ6_K, DecodeBlock>("Q6_K"),
    MakeCodec<Iq1S, BlockIq1S, DecodeBlock>("IQ1_S"),      MakeCodec<Iq1M, BlockIq1M, DecodeBlock>("IQ1_M"),
    MakeCodec<Iq2Xxs, BlockIq2Xxs, DecodeBlock>("IQ2_XXS"), MakeCodec<Iq2Xs, BlockIq2Xs, DecodeBlock>("IQ2_XS"),
    MakeCodec<Iq2S, BlockIq2S, DecodeBlock>("IQ2_S"),      MakeCodec<Iq3Xxs, BlockIq3Xxs, DecodeBlock>("IQ3_XXS"),
    MakeCodec<Iq3S, BlockIq3S, DecodeBlock>("IQ3_S"),
    MakeCodec<Iq4Nl, BlockIq4Nl, DecodeBlock>("IQ4_NL"),   MakeCodec<Iq4Xs, BlockIq4Xs, DecodeBlock>("IQ4_XS"),
    MakeCodec<Tq1_0, BlockTq1_0, DecodeBlock>("TQ1_0"),    MakeCodec<Tq2_0, BlockTq2_0, DecodeBlock>("TQ2_0"),
    MakeCodec<Q1_0, BlockQ1_0, DecodeBlock>("Q1_0"),       MakeCodec<Q2_0, BlockQ2_0, DecodeBlock>("Q2_0"),
    MakeCodec<Mxfp4, BlockMxfp4, DecodeBlock>("MXFP4"),    MakeCodec<Nvfp4, BlockNvfp4, DecodeBlock>("NVFP4"),
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
