#include "workers/quant/codecs/small_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/ggml_block_codec.h"
#include "workers/quant/half.h"
#include "workers/quant/rounding.h"

namespace quantd::quant {
namespace {

constexpr int kHalfBlock = kSmallBlock / 2;

// The weight of largest magnitude, with its sign; the first one where several are as large.
float SignedPeak(const float* weights) {
  float magnitude = 0.0f, peak = 0.0f;
  for (int i = 0; i < kSmallBlock; ++i) {
    if (std::fabs(weights[i]) > magnitude) {
      magnitude = std::fabs(weights[i]);
      peak = weights[i];
    }
  }
  return peak;
}

std::pair<float, float> Range(const float* weights) {
  float low = weights[0], high = weights[0];
  for (int i = 1; i < kSmallBlock; ++i) {
    low = weights[i] < low ? weights[i] : low;
    high = weights[i] > high ? weights[i] : high;
  }
  return {low, high};
}

float Inverse(float scale) { return scale != 0.0f ? 1.0f / scale : 0.0f; }

// The four types differ in the number of levels and in how a block is placed: symmetric around the peak, or
// from the minimum.
struct Scaling {
  float scale;
  float minimum;
  // level = min(top, trunc((weight - minimum) / scale + offset))
  float offset;
};

Scaling Symmetric(const float* weights, int levels) {
  const int middle = levels / 2;
  return {SignedPeak(weights) / static_cast<float>(-middle), 0.0f, static_cast<float>(middle) + 0.5f};
}

Scaling FromMinimum(const float* weights, int levels) {
  const auto [low, high] = Range(weights);
  return {(high - low) / static_cast<float>(levels - 1), low, 0.5f};
}

void ComputeLevels(const float* weights, const Scaling& scaling, int levels, uint8_t* out) {
  const float inverse = Inverse(scaling.scale);
  for (int i = 0; i < kSmallBlock; ++i) {
    const float position = (weights[i] - scaling.minimum) * inverse + scaling.offset;
    out[i] = static_cast<uint8_t>(
        std::min(levels - 1, static_cast<int>(static_cast<int8_t>(TruncateToInt(position)))));
  }
}

void PackNibbles(const uint8_t* levels, uint8_t* packed) {
  for (int i = 0; i < kHalfBlock; ++i) {
    packed[i] = static_cast<uint8_t>((levels[i] & 15) | (levels[i + kHalfBlock] & 15) << 4);
  }
}

void PackFifthBits(const uint8_t* levels, uint8_t* high_bits) {
  uint32_t bits = 0;
  for (int i = 0; i < kSmallBlock; ++i) bits |= static_cast<uint32_t>(levels[i] >> 4) << i;
  for (int i = 0; i < 4; ++i) high_bits[i] = static_cast<uint8_t>(bits >> (8 * i));
}

void UnpackNibbles(const uint8_t* packed, int* levels) {
  for (int i = 0; i < kHalfBlock; ++i) {
    levels[i] = packed[i] & 15;
    levels[i + kHalfBlock] = packed[i] >> 4;
  }
}

void UnpackFifthBits(const uint8_t* high_bits, int* levels) {
  for (int i = 0; i < kSmallBlock; ++i) levels[i] |= ((high_bits[i / 8] >> (i % 8)) & 1) << 4;
}

struct Q4_0 {
  using Block = BlockQ4_0;
  static constexpr std::string_view kName = "Q4_0";
  static constexpr int64_t kWeights = kSmallBlock;

  static void Encode(const float* weights, Block& block) {
    const Scaling scaling = Symmetric(weights, 16);
    uint8_t levels[kSmallBlock];
    ComputeLevels(weights, scaling, 16, levels);
    block.scale = FloatToHalf(scaling.scale);
    PackNibbles(levels, block.levels);
  }
  static void Decode(const Block& block, float* weights) {
    const float scale = HalfToFloat(block.scale);
    int levels[kSmallBlock];
    UnpackNibbles(block.levels, levels);
    for (int i = 0; i < kSmallBlock; ++i) weights[i] = static_cast<float>(levels[i] - 8) * scale;
  }
};

struct Q4_1 {
  using Block = BlockQ4_1;
  static constexpr std::string_view kName = "Q4_1";
  static constexpr int64_t kWeights = kSmallBlock;

  static void Encode(const float* weights, Block& block) {
    const Scaling scaling = FromMinimum(weights, 16);
    uint8_t levels[kSmallBlock];
    ComputeLevels(weights, scaling, 16, levels);
    block.scale = FloatToHalf(scaling.scale);
    block.minimum = FloatToHalf(scaling.minimum);
    PackNibbles(levels, block.levels);
  }
  static void Decode(const Block& block, float* weights) {
    const float scale = HalfToFloat(block.scale), minimum = HalfToFloat(block.minimum);
    int levels[kSmallBlock];
    UnpackNibbles(block.levels, levels);
    for (int i = 0; i < kSmallBlock; ++i) weights[i] = static_cast<float>(levels[i]) * scale + minimum;
  }
};

struct Q5_0 {
  using Block = BlockQ5_0;
  static constexpr std::string_view kName = "Q5_0";
  static constexpr int64_t kWeights = kSmallBlock;

  static void Encode(const float* weights, Block& block) {
    const Scaling scaling = Symmetric(weights, 32);
    uint8_t levels[kSmallBlock];
    ComputeLevels(weights, scaling, 32, levels);
    block.scale = FloatToHalf(scaling.scale);
    PackNibbles(levels, block.levels);
    PackFifthBits(levels, block.high_bits);
  }
  static void Decode(const Block& block, float* weights) {
    const float scale = HalfToFloat(block.scale);
    int levels[kSmallBlock];
    UnpackNibbles(block.levels, levels);
    UnpackFifthBits(block.high_bits, levels);
    for (int i = 0; i < kSmallBlock; ++i) weights[i] = static_cast<float>(levels[i] - 16) * scale;
  }
};

struct Q5_1 {
  using Block = BlockQ5_1;
  static constexpr std::string_view kName = "Q5_1";
  static constexpr int64_t kWeights = kSmallBlock;

  static void Encode(const float* weights, Block& block) {
    const Scaling scaling = FromMinimum(weights, 32);
    uint8_t levels[kSmallBlock];
    ComputeLevels(weights, scaling, 32, levels);
    block.scale = FloatToHalf(scaling.scale);
    block.minimum = FloatToHalf(scaling.minimum);
    PackNibbles(levels, block.levels);
    PackFifthBits(levels, block.high_bits);
  }
  static void Decode(const Block& block, float* weights) {
    const float scale = HalfToFloat(block.scale), minimum = HalfToFloat(block.minimum);
    int levels[kSmallBlock];
    UnpackNibbles(block.levels, levels);
    UnpackFifthBits(block.high_bits, levels);
    for (int i = 0; i < kSmallBlock; ++i) weights[i] = static_cast<float>(levels[i]) * scale + minimum;
  }
};

struct Q8_0 {
  using Block = BlockQ8_0;
  static constexpr std::string_view kName = "Q8_0";
  static constexpr int64_t kWeights = kSmallBlock;

  static void Encode(const float* weights, Block& block) {
    float magnitude = 0.0f;
    for (int i = 0; i < kSmallBlock; ++i) magnitude = std::max(magnitude, std::fabs(weights[i]));
    const float scale = magnitude / 127.0f;
    const float inverse = Inverse(scale);
    block.scale = FloatToHalf(scale);
    for (int i = 0; i < kSmallBlock; ++i) {
      // Half away from zero, as std::round: the constant is the largest float below one half.
      const float level = weights[i] * inverse;
      block.levels[i] = static_cast<int8_t>(TruncateToInt(level + std::copysign(0.49999997f, level)));
    }
  }
  static void Decode(const Block& block, float* weights) {
    const float scale = HalfToFloat(block.scale);
    for (int i = 0; i < kSmallBlock; ++i) weights[i] = static_cast<float>(block.levels[i]) * scale;
  }
};

}  // namespace

const Codec& CodecQ4_0() {
  static const GgmlBlockCodec<Q4_0> codec;
  return codec;
}
const Codec& CodecQ4_1() {
  static const GgmlBlockCodec<Q4_1> codec;
  return codec;
}
const Codec& CodecQ5_0() {
  static const GgmlBlockCodec<Q5_0> codec;
  return codec;
}
const Codec& CodecQ5_1() {
  static const GgmlBlockCodec<Q5_1> codec;
  return codec;
}
const Codec& CodecQ8_0() {
  static const GgmlBlockCodec<Q8_0> codec;
  return codec;
}

}  // namespace quantd::quant
