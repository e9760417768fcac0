// The kernels of MXFP4 and NVFP4, compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/fp4.cc"
#include <hwy/foreach_target.h>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/fp4_rows-inl.h"
#include "workers/quant/lanes/block_kernels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

BlockKernels KernelsMXFP4() { return MakeRowKernels<Mxfp4, Mxfp4Rows, BlockMxfp4, DecodeBlock>(); }
BlockKernels KernelsNVFP4() { return MakeBlockKernels<Nvfp4, BlockNvfp4, DecodeBlock>(); }

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(KernelsMXFP4);
HWY_EXPORT(KernelsNVFP4);

const Codec& CodecMXFP4() {
  static const BlockCodec codec("MXFP4", HWY_NAMESPACE::Mxfp4<OneLane>::kWeights,
                                HWY_NAMESPACE::Mxfp4<OneLane>::kBytes, ImportanceUse::kIgnored,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsMXFP4)(); });
  return codec;
}
const Codec& CodecNVFP4() {
  static const BlockCodec codec("NVFP4", HWY_NAMESPACE::Nvfp4<OneLane>::kWeights,
                                HWY_NAMESPACE::Nvfp4<OneLane>::kBytes, ImportanceUse::kIgnored,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsNVFP4)(); });
  return codec;
}

}  // namespace quantd::quant
#endif
