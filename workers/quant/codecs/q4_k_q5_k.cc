#include "workers/quant/codecs/q4_k_q5_k.h"

#include <algorithm>
#include <cmath>

#include "workers/quant/codecs/codecs.h"
#include "workers/quant/codecs/ggml_block_codec.h"
#include "workers/quant/codecs/packed_scales.h"
#include "workers/quant/half.h"
#include "workers/quant/rounding.h"

namespace quantd::quant {
namespace {

constexpr int kSubBlock = kSuperBlock / kPackedSubBlocks;

ScaleAndMinimum SearchSubBlock(const float* weights, const ScaleGrid& grid, uint8_t* levels) {
  float sum_of_squares = 0.0f;
  for (int i = 0; i < kSubBlock; ++i) sum_of_squares += weights[i] * weights[i];
  const float root_mean_square = std::sqrt(sum_of_squares / static_cast<float>(kSubBlock));
  float importance[kSubBlock];
  for (int i = 0; i < kSubBlock; ++i) importance[i] = root_mean_square + std::fabs(weights[i]);
  return SearchScaleAndMinimum({weights, kSubBlock}, importance, grid, levels);
}

uint8_t SixBits(float inverse, float value) {
  return std::min<uint8_t>(63, static_cast<uint8_t>(NearestInt(inverse * value)));
}

struct Q4_K {
  using Block = BlockQ4_K;
  static constexpr std::string_view kName = "Q4_K";
  static constexpr int64_t kWeights = kSuperBlock;
  static constexpr ScaleGrid kGrid{15, -1.0f, 0.1f, 20, ErrorNorm::kSquared};

  static void Encode(const float* weights, Block& block) {
    uint8_t levels[kSuperBlock];
    EncodeWithPackedScales(weights, kGrid, &block.scale, &block.minimum, block.scales, levels);
    uint8_t* out = block.levels;
    for (int pair = 0; pair < kSuperBlock; pair += 2 * kSubBlock) {
      for (int i = 0; i < kSubBlock; ++i) {
        *out++ = static_cast<uint8_t>(levels[pair + i] | levels[pair + kSubBlock + i] << 4);
      }
    }
  }
  static void Decode(const Block& block, float* weights) {
    uint8_t levels[kSuperBlock];
    const uint8_t* in = block.levels;
    for (int pair = 0; pair < kSuperBlock; pair += 2 * kSubBlock) {
      for (int i = 0; i < kSubBlock; ++i, ++in) {
        levels[pair + i] = *in & 15;
        levels[pair + kSubBlock + i] = *in >> 4;
      }
    }
    DecodeWithPackedScales(block.scale, block.minimum, block.scales, levels, weights);
  }
};

struct Q5_K {
  using Block = BlockQ5_K;
  static constexpr std::string_view kName = "Q5_K";
  static constexpr int64_t kWeights = kSuperBlock;
  static constexpr ScaleGrid kGrid{31, -0.5f, 0.1f, 15, ErrorNorm::kSquared};

  static void Encode(const float* weights, Block& block) {
    uint8_t levels[kSuperBlock];
    EncodeWithPackedScales(weights, kGrid, &block.scale, &block.minimum, block.scales, levels);
    uint8_t* out = block.levels;
    std::fill(block.high_bits, block.high_bits + kSubBlock, uint8_t{0});
    for (int j = 0; j < kPackedSubBlocks; j += 2) {
      for (int i = 0; i < kSubBlock; ++i) {
        const uint8_t first = levels[j * kSubBlock + i], second = levels[(j + 1) * kSubBlock + i];
        *out++ = static_cast<uint8_t>((first & 15) | (second & 15) << 4);
        block.high_bits[i] =
            static_cast<uint8_t>(block.high_bits[i] | (first >> 4) << j | (second >> 4) << (j + 1));
      }
    }
  }
  static void Decode(const Block& block, float* weights) {
    uint8_t levels[kSuperBlock];
    const uint8_t* in = block.levels;
    for (int j = 0; j < kPackedSubBlocks; j += 2) {
      for (int i = 0; i < kSubBlock; ++i, ++in) {
        levels[j * kSubBlock + i] = static_cast<uint8_t>((*in & 15) | ((block.high_bits[i] >> j) & 1) << 4);
        levels[(j + 1) * kSubBlock + i] =
            static_cast<uint8_t>((*in >> 4) | ((block.high_bits[i] >> (j + 1)) & 1) << 4);
      }
    }
    DecodeWithPackedScales(block.scale, block.minimum, block.scales, levels, weights);
  }
};

}  // namespace

void EncodeWithPackedScales(const float* weights, const ScaleGrid& grid, uint16_t* scale, uint16_t* minimum,
                            uint8_t* packed, uint8_t* levels) {
  ScaleAndMinimum found[kPackedSubBlocks];
  float largest_scale = 0.0f, largest_minimum = 0.0f;
  for (int j = 0; j < kPackedSubBlocks; ++j) {
    found[j] = SearchSubBlock(weights + j * kSubBlock, grid, levels + j * kSubBlock);
    largest_scale = std::max(largest_scale, found[j].scale);
    largest_minimum = std::max(largest_minimum, found[j].minimum);
  }
  const float inverse_scale = largest_scale > 0.0f ? 63.0f / largest_scale : 0.0f;
  const float inverse_minimum = largest_minimum > 0.0f ? 63.0f / largest_minimum : 0.0f;
  for (int j = 0; j < kPackedSubBlocks; ++j) {
    PackScale(packed, j,
              {SixBits(inverse_scale, found[j].scale), SixBits(inverse_minimum, found[j].minimum)});
  }
  *scale = FloatToHalf(largest_scale / 63.0f);
  *minimum = FloatToHalf(largest_minimum / 63.0f);
  for (int j = 0; j < kPackedSubBlocks; ++j) {
    const SubBlockScale stored = UnpackScale(packed, j);
    const float step = HalfToFloat(*scale) * static_cast<float>(stored.scale);
    if (step == 0.0f) continue;  // the search's levels stay, as in ggml
    const float offset = HalfToFloat(*minimum) * static_cast<float>(stored.minimum);
    for (int i = j * kSubBlock; i < (j + 1) * kSubBlock; ++i) {
      levels[i] = static_cast<uint8_t>(Clamp(NearestInt((weights[i] + offset) / step), 0, grid.top_level));
    }
  }
}

void DecodeWithPackedScales(uint16_t scale, uint16_t minimum, const uint8_t* packed, const uint8_t* levels,
                            float* weights) {
  for (int j = 0; j < kPackedSubBlocks; ++j) {
    const SubBlockScale stored = UnpackScale(packed, j);
    const float step = HalfToFloat(scale) * static_cast<float>(stored.scale);
    const float offset = HalfToFloat(minimum) * static_cast<float>(stored.minimum);
    for (int i = j * kSubBlock; i < (j + 1) * kSubBlock; ++i)
      weights[i] = step * static_cast<float>(levels[i]) - offset;
  }
}

const Codec& CodecQ4_K() {
  static const GgmlBlockCodec<Q4_K> codec;
  return codec;
}
const Codec& CodecQ5_K() {
  static const GgmlBlockCodec<Q5_K> codec;
  return codec;
}

}  // namespace quantd::quant
