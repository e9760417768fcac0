// The kernels of TQ1_0, TQ2_0, Q1_0 and Q2_0, compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/ternary.cc"
#include <hwy/foreach_target.h>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/ternary_rows-inl.h"
#include "workers/quant/lanes/block_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

BlockKernels KernelsTQ1_0() { return MakeRowKernels<Tq1_0, Tq1_0Rows, BlockTq1_0, DecodeBlock>(); }
BlockKernels KernelsTQ2_0() { return MakeRowKernels<Tq2_0, Tq2_0Rows, BlockTq2_0, DecodeBlock>(); }
BlockKernels KernelsQ1_0() { return MakeBlockKernels<Q1_0, BlockQ1_0, DecodeBlock>(); }
BlockKernels KernelsQ2_0() { return MakeBlockKernels<Q2_0, BlockQ2_0, DecodeBlock>(); }

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(KernelsTQ1_0);
HWY_EXPORT(KernelsTQ2_0);
HWY_EXPORT(KernelsQ1_0);
HWY_EXPORT(KernelsQ2_0);

const Codec& CodecTQ1_0() {
  static const BlockCodec codec("TQ1_0", HWY_NAMESPACE::Tq1_0<OneLane>::kWeights,
                                HWY_NAMESPACE::Tq1_0<OneLane>::kBytes, ImportanceUse::kIgnored,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsTQ1_0)(); });
  return codec;
}
const Codec& CodecTQ2_0() {
  static const BlockCodec codec("TQ2_0", HWY_NAMESPACE::Tq2_0<OneLane>::kWeights,
                                HWY_NAMESPACE::Tq2_0<OneLane>::kBytes, ImportanceUse::kIgnored,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsTQ2_0)(); });
  return codec;
}
const Codec& CodecQ1_0() {
  static const BlockCodec codec("Q1_0", HWY_NAMESPACE::Q1_0<OneLane>::kWeights,
                                HWY_NAMESPACE::Q1_0<OneLane>::kBytes, ImportanceUse::kIgnored,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ1_0)(); });
  return codec;
}
const Codec& CodecQ2_0() {
  static const BlockCodec codec("Q2_0", HWY_NAMESPACE::Q2_0<OneLane>::kWeights,
                                HWY_NAMESPACE::Q2_0<OneLane>::kBytes, ImportanceUse::kIgnored,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsQ2_0)(); });
  return codec;
}

}  // namespace quantd::quant
#endif
