// The kernels of ggml's K-quants, compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/k_quants.cc"
#include <hwy/foreach_target.h>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/q2_k-inl.h"
#include "workers/quant/codecs/q3_k-inl.h"
#include "workers/quant/codecs/q4_k_q5_k-inl.h"
#include "workers/quant/codecs/q6_k-inl.h"
#include "workers/quant/lanes/block_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

BlockKernels KernelsQ2_K() { return MakeBlockKernels<Q2_K, BlockQ2_K, DecodeBlock>(); }
BlockKernels KernelsQ3_K() { return MakeBlockKernels<Q3_K, BlockQ3_K, DecodeBlock>(); }
BlockKernels KernelsQ4_K() { return MakeBlockKernels<Q4_K, BlockQ4_K, DecodeBlock>(); }
BlockKernels KernelsQ5_K() { return MakeBlockKernels<Q5_K, BlockQ5_K, DecodeBlock>(); }
BlockKernels KernelsQ6_K() { return MakeBlockKernels<Q6_K, BlockQ6_K, DecodeBlock>(); }

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(KernelsQ2_K);
HWY_EXPORT(KernelsQ3_K);
HWY_EXPORT(KernelsQ4_K);
HWY_EXPORT(KernelsQ5_K);
HWY_EXPORT(KernelsQ6_K);

const Codec& CodecQ2_K() {
  static const BlockCodec codec("Q2_K", kSuperBlock, sizeof(BlockQ2_K), ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ2_K)(); });
  return codec;
}
const Codec& CodecQ3_K() {
  static const BlockCodec codec("Q3_K", kSuperBlock, sizeof(BlockQ3_K), ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ3_K)(); });
  return codec;
}
const Codec& CodecQ4_K() {
  static const BlockCodec codec("Q4_K", kSuperBlock, sizeof(BlockQ4_K), ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ4_K)(); });
  return codec;
}
const Codec& CodecQ5_K() {
  static const BlockCodec codec("Q5_K", kSuperBlock, sizeof(BlockQ5_K), ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ5_K)(); });
  return codec;
}
const Codec& CodecQ6_K() {
  static const BlockCodec codec("Q6_K", kSuperBlock, sizeof(BlockQ6_K), ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ6_K)(); });
  return codec;
}

}  // namespace quantd::quant
#endif
