// The kernels of IQ2_XXS, IQ2_XS and IQ2_S, compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/iq2.cc"
#include <hwy/foreach_target.h>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/iq2-inl.h"
#include "workers/quant/lanes/block_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

BlockKernels KernelsIQ2_XXS() { return MakeBlockKernels<Iq2Xxs, BlockIq2Xxs, DecodeBlock>(); }
BlockKernels KernelsIQ2_XS() { return MakeBlockKernels<Iq2Xs, BlockIq2Xs, DecodeBlock>(); }
BlockKernels KernelsIQ2_S() { return MakeBlockKernels<Iq2S, BlockIq2S, DecodeBlock>(); }

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(KernelsIQ2_XXS);
HWY_EXPORT(KernelsIQ2_XS);
HWY_EXPORT(KernelsIQ2_S);

const Codec& CodecIQ2_XXS() {
  static const BlockCodec codec("IQ2_XXS", HWY_NAMESPACE::Iq2Xxs<OneLane>::kWeights,
                                HWY_NAMESPACE::Iq2Xxs<OneLane>::kBytes, ImportanceUse::kRequired,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsIQ2_XXS)(); });
  return codec;
}
const Codec& CodecIQ2_XS() {
  static const BlockCodec codec("IQ2_XS", HWY_NAMESPACE::Iq2Xs<OneLane>::kWeights,
                                HWY_NAMESPACE::Iq2Xs<OneLane>::kBytes, ImportanceUse::kRequired,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsIQ2_XS)(); });
  return codec;
}
const Codec& CodecIQ2_S() {
  static const BlockCodec codec("IQ2_S", HWY_NAMESPACE::Iq2S<OneLane>::kWeights,
                                HWY_NAMESPACE::Iq2S<OneLane>::kBytes, ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsIQ2_S)(); });
  return codec;
}

}  // namespace quantd::quant
#endif
