// The kernels of ggml's K-quants, compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/k_quants.cc"
#include <hwy/foreach_target.h>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/q4_k_q5_k-inl.h"
#include "workers/quant/lanes/block_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

BlockKernels KernelsQ4_K() { return MakeBlockKernels<Q4_K, BlockQ4_K, DecodeBlock>(); }
BlockKernels KernelsQ5_K() { return MakeBlockKernels<Q5_K, BlockQ5_K, DecodeBlock>(); }

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(KernelsQ4_K);
HWY_EXPORT(KernelsQ5_K);

const Codec& CodecQ4_K() {
  static const BlockCodec codec("Q4_K", kSuperBlock, sizeof(BlockQ4_K), ImportanceUse::kIgnored,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ4_K)(); });
  return codec;
}
const Codec& CodecQ5_K() {
  static const BlockCodec codec("Q5_K", kSuperBlock, sizeof(BlockQ5_K), ImportanceUse::kIgnored,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ5_K)(); });
  return codec;
}

}  // namespace quantd::quant
#endif
