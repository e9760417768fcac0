// The kernels of ggml's small blocks, compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/small_blocks.cc"
#include <hwy/foreach_target.h>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/small_block_rows-inl.h"
#include "workers/quant/lanes/block_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

BlockKernels KernelsQ4_0() { return MakeRowKernels<Q4_0, Q4_0Rows, BlockQ4_0, DecodeRow>(); }
BlockKernels KernelsQ4_1() { return MakeRowKernels<Q4_1, Q4_1Rows, BlockQ4_1, DecodeRow>(); }
BlockKernels KernelsQ5_0() { return MakeRowKernels<Q5_0, Q5_0Rows, BlockQ5_0, DecodeRow>(); }
BlockKernels KernelsQ5_1() { return MakeRowKernels<Q5_1, Q5_1Rows, BlockQ5_1, DecodeRow>(); }
BlockKernels KernelsQ8_0() { return MakeRowKernels<Q8_0, Q8_0Rows, BlockQ8_0, DecodeRow>(); }

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(KernelsQ4_0);
HWY_EXPORT(KernelsQ4_1);
HWY_EXPORT(KernelsQ5_0);
HWY_EXPORT(KernelsQ5_1);
HWY_EXPORT(KernelsQ8_0);

const Codec& CodecQ4_0() {
  static const BlockCodec codec("Q4_0", kSmallBlock, sizeof(BlockQ4_0), ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ4_0)(); });
  return codec;
}
const Codec& CodecQ4_1() {
  static const BlockCodec codec("Q4_1", kSmallBlock, sizeof(BlockQ4_1), ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ4_1)(); });
  return codec;
}
const Codec& CodecQ5_0() {
  static const BlockCodec codec("Q5_0", kSmallBlock, sizeof(BlockQ5_0), ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ5_0)(); });
  return codec;
}
const Codec& CodecQ5_1() {
  static const BlockCodec codec("Q5_1", kSmallBlock, sizeof(BlockQ5_1), ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ5_1)(); });
  return codec;
}
const Codec& CodecQ8_0() {
  static const BlockCodec codec("Q8_0", kSmallBlock, sizeof(BlockQ8_0), ImportanceUse::kIgnored,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ8_0)(); });
  return codec;
}

}  // namespace quantd::quant
#endif
