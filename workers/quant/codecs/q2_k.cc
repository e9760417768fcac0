#include <algorithm>
#include <cmath>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/ggml_block_codec.h"
#include "workers/quant/codecs/k_blocks.h"
#include "workers/quant/codecs/scale_search.h"
#include "workers/quant/half.h"
#include "workers/quant/rounding.h"

namespace quantd::quant {
namespace {

constexpr int kSubBlock = 16;
constexpr int kSubBlocks = kSuperBlock / kSubBlock;
constexpr float kTopScale = 15.0f;
constexpr ScaleGrid kGrid{3, -0.5f, 0.1f, 15, ErrorNorm::kAbsolute};

// Quantizes sixteen non-negative values to 4 bits against their largest, which `scale` keeps.
void QuantizeScales(const float* values, uint8_t* levels, uint16_t* scale) {
  const float largest = std::max(0.0f, *std::max_element(values, values + kSubBlocks));
  const float inverse = largest > 0.0f ? kTopScale / largest : 0.0f;
  for (int j = 0; j < kSubBlocks; ++j) levels[j] = static_cast<uint8_t>(NearestInt(inverse * values[j]));
  *scale = FloatToHalf(largest / kTopScale);
}

struct Q2_K {
  using Block = BlockQ2_K;
  static constexpr std::string_view kName = "Q2_K";
  static constexpr int64_t kWeights = kSuperBlock;

  static void Encode(const float* weights, Block& block) {
    uint8_t levels[kSuperBlock];
    float scales[kSubBlocks], minimums[kSubBlocks];
    for (int j = 0; j < kSubBlocks; ++j) {
      const float* sub_block = weights + j * kSubBlock;
      float importance[kSubBlock];
      for (int i = 0; i < kSubBlock; ++i) importance[i] = std::fabs(sub_block[i]);
      const ScaleAndMinimum found =
          SearchScaleAndMinimum({sub_block, kSubBlock}, importance, kGrid, levels + j * kSubBlock);
      scales[j] = found.scale;
      minimums[j] = found.minimum;
    }
    uint8_t scale_levels[kSubBlocks], minimum_levels[kSubBlocks];
    QuantizeScales(scales, scale_levels, &block.scale);
    QuantizeScales(minimums, minimum_levels, &block.minimum);
    for (int j = 0; j < kSubBlocks; ++j) {
      block.scales[j] = static_cast<uint8_t>(scale_levels[j] | minimum_levels[j] << 4);
      RoundSubBlock(weights + j * kSubBlock, block, j, levels + j * kSubBlock);
    }
    for (int half = 0; half < kSuperBlock; half += 128) {
      for (int i = 0; i < 32; ++i) {
        const uint8_t* l = levels + half + i;
        block.levels[half / 4 + i] = static_cast<uint8_t>(l[0] | l[32] << 2 | l[64] << 4 | l[96] << 6);
      }
    }
  }

  static void Decode(const Block& block, float* weights) {
    for (int i = 0; i < kSuperBlock; ++i) {
      const int half = i / 128, within = i % 128;
      const int level = (block.levels[half * 32 + within % 32] >> (2 * (within / 32))) & 3;
      const auto [step, offset] = SubBlockScale(block, i / kSubBlock);
      weights[i] = step * static_cast<float>(level) - offset;
    }
  }

 private:
  struct StepAndOffset {
    float step;
    float offset;
  };
  static StepAndOffset SubBlockScale(const Block& block, int j) {
    return {HalfToFloat(block.scale) * static_cast<float>(block.scales[j] & 15),
            HalfToFloat(block.minimum) * static_cast<float>(block.scales[j] >> 4)};
  }

  // Rounds against the scales as stored; where the stored scale is zero the search's levels stay, as in ggml.
  static void RoundSubBlock(const float* weights, const Block& block, int j, uint8_t* levels) {
    const auto [step, offset] = SubBlockScale(block, j);
    if (step == 0.0f) return;
    for (int i = 0; i < kSubBlock; ++i) {
      levels[i] = static_cast<uint8_t>(Clamp(NearestInt((weights[i] + offset) / step), 0, kGrid.top_level));
    }
  }
};

}  // namespace

const Codec& CodecQ2_K() {
  static const GgmlBlockCodec<Q2_K> codec;
  return codec;
}

}  // namespace quantd::quant
