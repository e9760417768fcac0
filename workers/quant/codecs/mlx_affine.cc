// MLX's affine quantization (mlx/backend/cpu/quantized.cpp is the reference): groups of 32, 64 or 128 weights
// of a row share a scale and a bias, weight ≈ scale * level + bias. Three planes: `weight`, the levels as one
// bit stream, least significant bit first, in little-endian 32-bit words; `scales` and `biases`, one number a
// group in the model's type. A group's levels always fill whole words. All arithmetic is in float; only what
// is stored is narrowed.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "workers/quant/codecs/codecs.h"
#include "workers/quant/half.h"
#include "workers/quant/widen.h"

namespace quantd::quant {
namespace {

constexpr float kSmallestScale = 1e-7f;

struct ScaleAndBias {
  float scale;
  float bias;
};

// The bias is the edge of the range with the larger magnitude, and the scale is adjusted so that zero falls
// on a level.
ScaleAndBias FindScale(std::span<const float> group, float top_level) {
  float low = group[0], high = group[0];
  for (float weight : group) {
    low = std::min(low, weight);
    high = std::max(high, weight);
  }
  const bool from_low = std::fabs(low) > std::fabs(high);
  const float width = std::max((high - low) / top_level, kSmallestScale);
  const float scale = from_low ? width : -width;
  const float edge = from_low ? low : high;
  const float levels_to_zero = std::rint(edge / scale);
  if (levels_to_zero == 0.0f) return {scale, 0.0f};
  return {edge / levels_to_zero, edge};
}

// How scales and biases are stored.
struct StoredF16 {
  static constexpr std::string_view kName = "F16";
  using Bits = uint16_t;
  static Bits Narrow(float value) { return FloatToHalf(value); }
  static float Widen(Bits bits) { return HalfToFloat(bits); }
};
struct StoredBf16 {
  static constexpr std::string_view kName = "BF16";
  using Bits = uint16_t;
  static Bits Narrow(float value) { return FloatToBf16(value); }
  static float Widen(Bits bits) { return Bf16ToFloat(bits); }
};
struct StoredF32 {
  static constexpr std::string_view kName = "F32";
  using Bits = float;
  static Bits Narrow(float value) { return value; }
  static float Widen(Bits bits) { return bits; }
};

template <typename Stored, int kBits>
class MlxAffineCodec final : public Codec {
 public:
  explicit MlxAffineCodec(int group)
      : name_(absl::StrCat("MLX_I", kBits, "_G", group, "_", std::string(Stored::kName))),
        group_(group),
        planes_{PlaneSpec{"weight", group * kBits / 8}, PlaneSpec{"scales", sizeof(typename Stored::Bits)},
                PlaneSpec{"biases", sizeof(typename Stored::Bits)}} {}

  std::string_view name() const override { return name_; }
  int64_t weights_per_block() const override { return group_; }
  std::span<const PlaneSpec> planes() const override { return planes_; }

  void Encode(const WeightRows& weights, const float*, std::span<std::byte* const> planes) const override {
    auto* scales = reinterpret_cast<typename Stored::Bits*>(planes[1]);
    auto* biases = reinterpret_cast<typename Stored::Bits*>(planes[2]);
    const int64_t groups = weights.rows * (weights.columns / group_);
    for (int64_t g = 0; g < groups; ++g) {
      float widened[128];
      Widen(weights, g * group_, group_, widened);
      const std::span<const float> group(widened, static_cast<size_t>(group_));
      const auto [scale, bias] = FindScale(group, kTopLevel);
      EncodeGroup(group, scale, bias, planes[0] + g * planes_[0].bytes_per_block);
      scales[g] = Stored::Narrow(scale);
      biases[g] = Stored::Narrow(bias);
    }
  }

  void Decode(std::span<const std::byte* const> planes, int64_t rows, int64_t columns,
              float* weights) const override {
    const auto* scales = reinterpret_cast<const typename Stored::Bits*>(planes[1]);
    const auto* biases = reinterpret_cast<const typename Stored::Bits*>(planes[2]);
    const int64_t groups = rows * (columns / group_);
    for (int64_t g = 0; g < groups; ++g) {
      const float scale = Stored::Widen(scales[g]), bias = Stored::Widen(biases[g]);
      DecodeGroup(planes[0] + g * planes_[0].bytes_per_block, scale, bias, weights + g * group_);
    }
  }

 private:
  static constexpr float kTopLevel = (1 << kBits) - 1;
  // Eight levels fill kBits bytes, whatever the width.
  static constexpr int kRun = 8;

  void EncodeGroup(std::span<const float> group, float scale, float bias, std::byte* packed) const {
    uint8_t levels[128];
    for (int i = 0; i < group_; ++i) {
      const float level = std::rint((group[static_cast<size_t>(i)] - bias) / scale);
      levels[i] = static_cast<uint8_t>(std::min(std::max(level, 0.0f), kTopLevel));
    }
    for (int i = 0; i < group_; i += kRun, packed += kBits) {
      uint64_t bits = 0;
      for (int j = 0; j < kRun; ++j) bits |= uint64_t{levels[i + j]} << (j * kBits);
      std::memcpy(packed, &bits, kBits);
    }
  }

  void DecodeGroup(const std::byte* packed, float scale, float bias, float* weights) const {
    for (int i = 0; i < group_; i += kRun, packed += kBits) {
      uint64_t bits = 0;
      std::memcpy(&bits, packed, kBits);
      for (int j = 0; j < kRun; ++j) {
        weights[i + j] = scale * static_cast<float>((bits >> (j * kBits)) & ((1u << kBits) - 1)) + bias;
      }
    }
  }

  std::string name_;
  int group_;
  std::array<PlaneSpec, 3> planes_;
};

template <typename Stored, int... kBits>
void AddCodecs(std::vector<std::unique_ptr<const Codec>>& list) {
  for (int group : {32, 64, 128})
    (list.push_back(std::make_unique<MlxAffineCodec<Stored, kBits>>(group)), ...);
}

std::vector<std::unique_ptr<const Codec>> MakeAll() {
  std::vector<std::unique_ptr<const Codec>> list;
  AddCodecs<StoredF16, 2, 3, 4, 5, 6, 8>(list);
  AddCodecs<StoredBf16, 2, 3, 4, 5, 6, 8>(list);
  AddCodecs<StoredF32, 2, 3, 4, 5, 6, 8>(list);
  return list;
}

}  // namespace

const std::vector<std::unique_ptr<const Codec>>& MlxAffineCodecs() {
  static const auto& list = *new std::vector<std::unique_ptr<const Codec>>(MakeAll());
  return list;
}

}  // namespace quantd::quant
