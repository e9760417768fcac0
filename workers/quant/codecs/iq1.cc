// The kernels of IQ1_S and IQ1_M, compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/iq1.cc"
#include <hwy/foreach_target.h>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/iq1-inl.h"
#include "workers/quant/lanes/block_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

BlockKernels KernelsIQ1_S() { return MakeBlockKernels<Iq1S, BlockIq1S, DecodeBlock>(); }
BlockKernels KernelsIQ1_M() { return MakeBlockKernels<Iq1M, BlockIq1M, DecodeBlock>(); }

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(KernelsIQ1_S);
HWY_EXPORT(KernelsIQ1_M);

const Codec& CodecIQ1_S() {
  static const BlockCodec codec("IQ1_S", HWY_NAMESPACE::Iq1S<OneLane>::kWeights,
                                HWY_NAMESPACE::Iq1S<OneLane>::kBytes, ImportanceUse::kRequired,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsIQ1_S)(); });
  return codec;
}
const Codec& CodecIQ1_M() {
  static const BlockCodec codec("IQ1_M", HWY_NAMESPACE::Iq1M<OneLane>::kWeights,
                                HWY_NAMESPACE::Iq1M<OneLane>::kBytes, ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsIQ1_M)(); });
  return codec;
}

}  // namespace quantd::quant
#endif
