// F32, F16 and BF16: one plane, blocks of one weight, little-endian.
#include <algorithm>
#include <bit>
#include <cstring>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/half.h"
#include "workers/quant/widen.h"

namespace quantd::quant {
namespace {

static_assert(std::endian::native == std::endian::little);

uint32_t Same(float value) { return std::bit_cast<uint32_t>(value); }
float Same(uint32_t bits) { return std::bit_cast<float>(bits); }

template <typename Stored, Stored (*Narrow)(float), float (*Widen)(Stored)>
class PlainFloatCodec final : public Codec {
 public:
  explicit PlainFloatCodec(std::string_view name) : name_(name) {}

  std::string_view name() const override { return name_; }
  int64_t weights_per_block() const override { return 1; }
  std::span<const PlaneSpec> planes() const override { return {&kPlane, 1}; }

  void Encode(const WeightRows& weights, const float*, std::span<std::byte* const> planes) const override {
    Stored* out = reinterpret_cast<Stored*>(planes[0]);
    const int64_t count = weights.rows * weights.columns;
    constexpr int64_t kChunk = 1024;
    for (int64_t first = 0; first < count; first += kChunk) {
      const int64_t size = std::min(kChunk, count - first);
      float chunk[kChunk];
      quant::Widen(weights, first, size, chunk);
      for (int64_t i = 0; i < size; ++i) out[first + i] = Narrow(chunk[i]);
    }
  }

  void Decode(std::span<const std::byte* const> planes, int64_t rows, int64_t columns,
              float* weights) const override {
    const Stored* in = reinterpret_cast<const Stored*>(planes[0]);
    for (int64_t i = 0; i < rows * columns; ++i) weights[i] = Widen(in[i]);
  }

 private:
  static constexpr PlaneSpec kPlane{"data", sizeof(Stored)};
  std::string_view name_;
};

}  // namespace

const Codec& CodecF32() {
  static const PlainFloatCodec<uint32_t, Same, Same> codec("F32");
  return codec;
}
const Codec& CodecF16() {
  static const PlainFloatCodec<uint16_t, FloatToHalf, HalfToFloat> codec("F16");
  return codec;
}
const Codec& CodecBf16() {
  static const PlainFloatCodec<uint16_t, FloatToBf16, Bf16ToFloat> codec("BF16");
  return codec;
}

}  // namespace quantd::quant
