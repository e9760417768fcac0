// The kernels of IQ4_NL and IQ4_XS, compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/iq4.cc"
#include <hwy/foreach_target.h>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/iq4-inl.h"
#include "workers/quant/lanes/block_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

BlockKernels KernelsIQ4_NL() { return MakeBlockKernels<Iq4Nl, BlockIq4Nl, DecodeBlock>(); }
BlockKernels KernelsIQ4_XS() { return MakeBlockKernels<Iq4Xs, BlockIq4Xs, DecodeBlock>(); }

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(KernelsIQ4_NL);
HWY_EXPORT(KernelsIQ4_XS);

const Codec& CodecIQ4_NL() {
  static const BlockCodec codec("IQ4_NL", HWY_NAMESPACE::Iq4Nl<OneLane>::kWeights,
                                HWY_NAMESPACE::Iq4Nl<OneLane>::kBytes, ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsIQ4_NL)(); });
  return codec;
}
const Codec& CodecIQ4_XS() {
  static const BlockCodec codec("IQ4_XS", HWY_NAMESPACE::Iq4Xs<OneLane>::kWeights,
                                HWY_NAMESPACE::Iq4Xs<OneLane>::kBytes, ImportanceUse::kOptional,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsIQ4_XS)(); });
  return codec;
}

}  // namespace quantd::quant
#endif
