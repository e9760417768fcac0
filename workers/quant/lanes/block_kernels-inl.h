// The target's BlockKernels of a codec: its lane code for encoding, DecodeBlock(const Block&, float*) for
// decoding, a plain loop that the compiler vectorises for the target. Codecs with a grid have
// DecodeBlock(const IqGrid&, const Block&, float*).
#include "workers/quant/block_codec.h"
#include "workers/quant/lanes/encode_blocks-inl.h"
#include "workers/quant/lanes/rows-inl.h"

#if defined(QUANTD_BLOCK_KERNELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_BLOCK_KERNELS_INL_H_
#undef QUANTD_BLOCK_KERNELS_INL_H_
#else
#define QUANTD_BLOCK_KERNELS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// DecodeBlock is found by its argument's type only in that type's namespace, not here: the codec passes it.
template <class Block, void (*kDecode)(const Block&, float*), int kWeights>
void DecodeBlocks(const std::byte* blocks, int64_t count, float* weights) {
  const Block* from = reinterpret_cast<const Block*>(blocks);
  for (int64_t i = 0; i < count; ++i) kDecode(from[i], weights + i * kWeights);
}

template <IqGridName kGrid, class Block, void (*kDecode)(const IqGrid&, const Block&, float*), int kWeights>
void DecodeGridBlocks(const std::byte* blocks, int64_t count, float* weights) {
  const IqGrid grid = IqGridOf(kGrid).view();
  const Block* from = reinterpret_cast<const Block*>(blocks);
  for (int64_t i = 0; i < count; ++i) kDecode(grid, from[i], weights + i * kWeights);
}

template <template <class> class Code, class Block, void (*kDecode)(const IqGrid&, const Block&, float*)>
BlockKernels MakeBlockKernels() {
  return {EncodeBlocks<Code>, DecodeGridBlocks<Code<Lanes>::kGrid, Block, kDecode, Code<Lanes>::kWeights>};
}

template <template <class> class Code, class Block, void (*kDecode)(const Block&, float*)>
BlockKernels MakeBlockKernels() {
  return {EncodeBlocks<Code>, DecodeBlocks<Block, kDecode, Code<Lanes>::kWeights>};
}

template <template <class> class Code, template <class> class Rows>
void EncodeRowsOrBlocks(const WeightRows& weights, const float* importance, std::byte* out) {
#if HWY_TARGET != HWY_SCALAR
  if (importance == nullptr) return EncodeRows<Rows>(weights, out);
#endif
  EncodeBlocks<Code>(weights, importance, out);
}

// With a kernel along the row, which vector targets run where there is no importance matrix.
template <template <class> class Code, template <class> class Rows, class Block,
          void (*kDecode)(const Block&, float*)>
BlockKernels MakeRowKernels() {
  return {EncodeRowsOrBlocks<Code, Rows>, DecodeBlocks<Block, kDecode, Code<Lanes>::kWeights>};
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
