// MXFP4 and NVFP4, as ggml stores them: 4-bit floats (E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives)
// times a scale of 8 bits. MXFP4 (OCP Microscaling 1.0): blocks of 32, the scale a power of two. NVFP4:
// blocks of 64 with an unsigned E4M3 scale for each 16.
#include <bit>
#include <cstdint>

#include "workers/quant/lanes/half-inl.h"

#if defined(QUANTD_FP4_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_FP4_INL_H_
#undef QUANTD_FP4_INL_H_
#else
#define QUANTD_FP4_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// ggml keeps twice the E2M1 values (0, 1, 2, 3, 4, 6, 8, 12 and their negatives), and half the scale.
// Computed, so that loops over it vectorise.
constexpr int8_t TwiceE2M1(int code) {
  const int level = code & 7;
  const int magnitude = level + (level > 4 ? level - 4 : 0) + (level == 7 ? 2 : 0);
  return static_cast<int8_t>((code & 8) != 0 ? -magnitude : magnitude);
}

// Half-way between neighbouring values, times a scale: what is above belongs to the larger value.
template <class L>
struct E2M1Thresholds {
  using Float = typename L::Float;
  using Int = typename L::Int;
  Float half_way[7];

  explicit QUANTD_LANE E2M1Thresholds(Float scale) {
    half_way[0] = Float(0.5f) * scale;
    half_way[1] = Float(1.5f) * scale;
    half_way[2] = Float(2.5f) * scale;
    half_way[3] = Float(3.5f) * scale;
    half_way[4] = Float(5.0f) * scale;
    half_way[5] = Float(7.0f) * scale;
    half_way[6] = Float(10.0f) * scale;
  }

  // The 4 bits of the nearest value; ties go to the smaller one, and zero has no sign.
  QUANTD_LANE Int CodeOf(Float weight) const {
    const Float magnitude = L::Abs(weight);
    Int code = 0;
    QUANTD_UNROLL
    for (int i = 0; i < 7; ++i) code = code + L::Select(magnitude > half_way[i], Int(1), Int(0));
    const auto is_negative = (weight < Float(0.0f)) & (code > Int(0));
    return L::Select(is_negative, code + Int(8), code);
  }
};

struct BlockMxfp4 {
  uint8_t exponent;
  uint8_t levels[16];
};
static_assert(sizeof(BlockMxfp4) == 17);

// 2^(exponent - 128): half of what E8M0 means.
constexpr float HalfOfE8M0(uint8_t exponent) {
  return std::bit_cast<float>(exponent < 2 ? uint32_t{0x00200000} << exponent
                                           : uint32_t{exponent - 1u} << 23);
}

// With three bytes of lead: word 0 has the exponent above, words 1…4 the levels; byte i has weight i below
// and weight 16 + i above.
template <class L>
struct Mxfp4 {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = 32;
  static constexpr int kBytes = sizeof(BlockMxfp4);
  static constexpr int kLead = 3;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance&, Words& words) {
    Float largest = 0.0f;
    for (int i = 0; i < kWeights; ++i) largest = L::Max(L::Abs(weights[i]), largest);
    const Int exponent = ExponentOf(largest);
    words.Set(0, exponent << 24);
    const E2M1Thresholds<L> thresholds(ScaleOf(exponent));
    for (int word = 0; word < 4; ++word) {
      Int packed = 0;
      for (int byte = 0; byte < 4; ++byte) {
        const int i = 4 * word + byte;
        packed = packed | (thresholds.CodeOf(weights[i]) | thresholds.CodeOf(weights[16 + i]) << 4)
                              << (8 * byte);
      }
      words.Set(1 + word, packed);
    }
  }

  // What is stored of a block whose largest magnitude is that, and half of what it means.
  static QUANTD_LANE Int ExponentOf(Float largest) {
    const Int stored = (FloorLog2(largest) + Int(125)) & Int(255);
    return L::Select(largest > Float(0.0f), stored, Int(0));
  }
  static QUANTD_LANE Float ScaleOf(Int exponent) {
    const Int subnormal = L::ShiftUpBy(Int(0x00200000), exponent & Int(1));
    return L::FromBits(L::Select(exponent < Int(2), subnormal, (exponent - Int(1)) << 23));
  }

 private:
  // floor(log2(x)) as single-precision log2 gives it: a number k whose neighbours below are so close that
  // their logarithm rounds to k counts for those too. They are the last floor(2^m ln 2) floats below 2^k,
  // where 2^m <= |k| < 2^(m + 1), or half as many where k is itself a power of two, for the float below such
  // a k is half as far.
  static QUANTD_LANE Int FloorLog2(Float x) {
    const auto is_small = x < Float(0x1p-64f);  // subnormal numbers become normal ones
    const Float scaled = L::Select(is_small, x * Float(0x1p+64f), x);
    const Int bits = L::Bits(scaled);
    const Int floor = L::ShiftDown(bits, 23) - L::Select(is_small, Int(127 + 64), Int(127));
    const Int next = floor + Int(1);
    const Int magnitude = L::Select(next < Int(0), Int(0) - next, next);
    const Int below =
        (bits & Int(0x7fffff)) ^ Int(0x7fffff);  // floats between x and 2^next, not counting either
    const Int exponent = L::ShiftDown(L::Bits(L::ToFloat(magnitude)), 23) - Int(127);
    const auto is_power = ((magnitude & (magnitude - Int(1))) == Int(0)) & (next > Int(0));
    const Int m = L::Select(is_power, exponent - Int(1), exponent);
    const Float reach = L::ToFloat(L::ShiftUpBy(Int(1), L::Max(m, Int(0)))) * Float(0.693147181f);
    const Int close = L::Select(m < Int(0), Int(0), L::Truncate(reach));
    return L::Select((magnitude > Int(0)) & (below < close), next, floor);
  }
};

struct BlockNvfp4 {
  uint8_t scales[4];
  uint8_t levels[32];
};
static_assert(sizeof(BlockNvfp4) == 36);

// Half of what unsigned E4M3 means.
constexpr float HalfOfUE4M3(uint8_t bits) {
  if (bits == 0 || bits == 0x7f) return 0.0f;
  if (bits < 8) return static_cast<float>(bits) * 0x1p-10f;
  return std::bit_cast<float>((uint32_t{bits} << 20) + (uint32_t{119} << 23));
}

// Words: 0 the four scales, 1…8 the levels: eight bytes for each 16 weights, byte i has weight i below, 8 + i
// above.
template <class L>
struct Nvfp4 {
  using Float = typename L::Float;
  using Int = typename L::Int;
  static constexpr int kWeights = 64;
  static constexpr int kBytes = sizeof(BlockNvfp4);
  static constexpr int kLead = 0;

  template <class Weights, class Importance, class Words>
  static QUANTD_LANE void Encode(const Weights& weights, const Importance&, Words& words) {
    Int scales = 0;
    for (int sub = 0; sub < 4; ++sub) {
      Float largest = 0.0f;
      for (int i = 0; i < 16; ++i) largest = L::Max(L::Abs(weights[16 * sub + i]), largest);
      const Int scale = ToUE4M3(largest / Float(6.0f));
      scales = scales | scale << (8 * sub);
      const Float subnormal = L::ToFloat(scale) * Float(0x1p-10f);
      const Float normal = L::FromBits((scale << 20) + Int(119 << 23));
      const E2M1Thresholds<L> thresholds(L::Select(scale < Int(8), subnormal, normal));
      const auto is_zero = scale == Int(0);
      for (int word = 0; word < 2; ++word) {
        Int packed = 0;
        for (int byte = 0; byte < 4; ++byte) {
          const int i = 16 * sub + 4 * word + byte;
          packed = packed | (thresholds.CodeOf(weights[i]) | thresholds.CodeOf(weights[8 + i]) << 4)
                                << (8 * byte);
        }
        words.Set(1 + 2 * sub + word, L::Select(is_zero, Int(0), packed));
      }
    }
    words.Set(0, scales);
  }

 private:
  // Nearest, halves up; saturates below the code of NaN.
  static QUANTD_LANE Int ToUE4M3(Float x) {
    const Float clamped = L::Select(x > Float(448.0f), Float(448.0f), x);
    const Int subnormal = L::Min(L::Truncate(clamped * Float(512.0f) + Float(0.5f)), Int(7));
    const Int exponent = L::ShiftDown(L::Bits(clamped), 23) - Int(120);
    const Int rounded = L::ShiftDown(L::Bits(clamped) + Int(1 << 19), 20) - Int(120 << 3);
    const Int normal = L::Select(rounded >= Int(0x78), Int(0x7e), rounded);
    const Int code = L::Select(exponent <= Int(0), subnormal, normal);
    return L::Select(x > Float(0.0f), code, Int(0));
  }
};

QUANTD_TABLE void DecodeBlock(const BlockMxfp4& block, float* weights) {
  int8_t values[32];
  for (int i = 0; i < 16; ++i) {
    values[i] = TwiceE2M1(block.levels[i] & 15);
    values[16 + i] = TwiceE2M1(block.levels[i] >> 4);
  }
  const float scale = HalfOfE8M0(block.exponent);
  for (int i = 0; i < 32; ++i) weights[i] = static_cast<float>(values[i]) * scale;
}

QUANTD_TABLE void DecodeBlock(const BlockNvfp4& block, float* weights) {
  int8_t values[64];
  for (int sub = 0; sub < 4; ++sub) {
    for (int i = 0; i < 8; ++i) {
      values[16 * sub + i] = TwiceE2M1(block.levels[8 * sub + i] & 15);
      values[16 * sub + 8 + i] = TwiceE2M1(block.levels[8 * sub + i] >> 4);
    }
  }
  for (int sub = 0; sub < 4; ++sub) {
    const float scale = HalfOfUE4M3(block.scales[sub]);
    for (int i = 16 * sub; i < 16 * (sub + 1); ++i) weights[i] = static_cast<float>(values[i]) * scale;
  }
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
