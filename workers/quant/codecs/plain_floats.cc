// F32, F16 and BF16: one plane, blocks of one weight, little-endian. Compiled once for each CPU target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "workers/quant/codecs/plain_floats.cc"
#include <hwy/foreach_target.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "workers/quant/block_codec.h"
#include "workers/quant/codecs/codecs.h"
#include "workers/quant/half.h"
#include "workers/quant/lanes/rows-inl.h"
#include "workers/quant/widen.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

static_assert(std::endian::native == std::endian::little);

// Weights that are stored as they come.
inline void Copy(const WeightRows& weights, std::byte* out) {
  std::memcpy(out, weights.data, static_cast<size_t>(weights.rows * weights.columns * BytesOf(weights.type)));
}

// Any other pair of types, by way of float.
template <class Stored, Stored (*kNarrow)(float)>
void Narrow(const WeightRows& weights, int64_t first, std::byte* out) {
  constexpr int64_t kChunk = 1024;
  Stored* to = reinterpret_cast<Stored*>(out);
  const int64_t count = weights.rows * weights.columns;
  for (; first < count; first += kChunk) {
    const int64_t size = std::min(kChunk, count - first);
    float chunk[kChunk];
    Widen(weights, first, size, chunk);
    for (int64_t i = 0; i < size; ++i) to[first + i] = kNarrow(chunk[i]);
  }
}

void EncodeF32(const WeightRows& weights, const float*, std::byte* out) {
  Widen(weights, 0, weights.rows * weights.columns, reinterpret_cast<float*>(out));
}

void EncodeBf16(const WeightRows& weights, const float*, std::byte* out) {
  if (weights.type == WeightType::kBf16) return Copy(weights, out);
  Narrow<uint16_t, FloatToBf16>(weights, 0, out);
}

void EncodeF16(const WeightRows& weights, const float*, std::byte* out) {
  if (weights.type == WeightType::kF16) return Copy(weights, out);
  int64_t done = 0;
#if HWY_TARGET != HWY_SCALAR
  WithSource(weights, [&](auto source, const auto* x) {
    const int64_t count = weights.rows * weights.columns;
    auto* to = reinterpret_cast<uint16_t*>(out);
    for (; done + Lanes::kPerVector <= count; done += Lanes::kPerVector)
      hn::StoreU(NarrowToHalf(decltype(source)::Load(x + done)), HalfTag(), to + done);
  });
#endif
  Narrow<uint16_t, FloatToHalf>(weights, done, out);
}

void DecodeF32(const std::byte* stored, int64_t count, float* weights) {
  std::memcpy(weights, stored, static_cast<size_t>(count) * sizeof(float));
}
void DecodeF16(const std::byte* stored, int64_t count, float* weights) {
  Widen({WeightType::kF16, stored, 1, count}, 0, count, weights);
}
void DecodeBf16(const std::byte* stored, int64_t count, float* weights) {
  Widen({WeightType::kBf16, stored, 1, count}, 0, count, weights);
}

BlockKernels KernelsF32() { return {EncodeF32, DecodeF32}; }
BlockKernels KernelsF16() { return {EncodeF16, DecodeF16}; }
BlockKernels KernelsBf16() { return {EncodeBf16, DecodeBf16}; }

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::quant {

HWY_EXPORT(KernelsF32);
HWY_EXPORT(KernelsF16);
HWY_EXPORT(KernelsBf16);

const Codec& CodecF32() {
  static const BlockCodec codec("F32", 1, 4, ImportanceUse::kIgnored,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsF32)(); });
  return codec;
}
const Codec& CodecF16() {
  static const BlockCodec codec("F16", 1, 2, ImportanceUse::kIgnored,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsF16)(); });
  return codec;
}
const Codec& CodecBf16() {
  static const BlockCodec codec("BF16", 1, 2, ImportanceUse::kIgnored,
                                [] { return HWY_DYNAMIC_DISPATCH(KernelsBf16)(); });
  return codec;
}

}  // namespace quantd::quant
#endif
