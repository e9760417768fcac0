// The kernels of IQ3_XXS and IQ3_S, compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/iq3.cc"
#include <hwy/foreach_target.h>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/iq3-inl.h"
#include "workers/quant/lanes/block_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

BlockKernels KernelsIQ3_XXS() { return MakeBlockKernels<Iq3Xxs, BlockIq3Xxs, DecodeBlock>(); }
BlockKernels KernelsIQ3_S() { return MakeBlockKernels<Iq3S, BlockIq3S, DecodeBlock>(); }

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(KernelsIQ3_XXS);
HWY_EXPORT(KernelsIQ3_S);

const Codec& CodecIQ3_XXS() {
  static const BlockCodec codec("IQ3_XXS", HWY_NAMESPACE::Iq3Xxs<OneLane>::kWeights,
                                HWY_NAMESPACE::Iq3Xxs<OneLane>::kBytes, ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsIQ3_XXS)(); });
  return codec;
}
const Codec& CodecIQ3_S() {
  static const BlockCodec codec("IQ3_S", HWY_NAMESPACE::Iq3S<OneLane>::kWeights,
                                HWY_NAMESPACE::Iq3S<OneLane>::kBytes, ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsIQ3_S)(); });
  return codec;
}

}  // namespace quantd::quant
#endif
