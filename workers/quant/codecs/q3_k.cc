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
constexpr int kHalfRange = 4;    // of the levels: -4…3
constexpr int kScaleRange = 32;  // of the scales: -32…31

// Twelve bytes hold sixteen 6-bit scales: bytes 0…7 the low nibbles of scales 0…7 (below) and 8…15 (above),
// bytes 8…11 the high two bits, those of scale j at bit 2 * (j / 4) of byte 8 + j % 4.
void PackScale(uint8_t* bytes, int j, int scale) {
  if (j < 8) {
    bytes[j] = static_cast<uint8_t>(bytes[j] | (scale & 15));
  } else {
    bytes[j - 8] = static_cast<uint8_t>(bytes[j - 8] | (scale & 15) << 4);
  }
  bytes[8 + j % 4] = static_cast<uint8_t>(bytes[8 + j % 4] | (scale >> 4) << (2 * (j / 4)));
}

int UnpackScale(const uint8_t* bytes, int j) {
  const int low = j < 8 ? bytes[j] & 15 : bytes[j - 8] >> 4;
  const int high = (bytes[8 + j % 4] >> (2 * (j / 4))) & 3;
  return low | high << 4;
}

float Step(const BlockQ3_K& block, int j) {
  return HalfToFloat(block.scale) * static_cast<float>(UnpackScale(block.scales, j) - kScaleRange);
}

// The scale of largest magnitude, with its sign; the first one where several are as large.
float PeakOf(const float* scales) {
  float peak = 0.0f;
  for (int j = 0; j < kSubBlocks; ++j) {
    if (std::fabs(scales[j]) > std::fabs(peak)) peak = scales[j];
  }
  return peak;
}

struct Q3_K {
  using Block = BlockQ3_K;
  static constexpr std::string_view kName = "Q3_K";
  static constexpr int64_t kWeights = kSuperBlock;

  static void Encode(const float* weights, Block& block) {
    int8_t levels[kSuperBlock];
    float scales[kSubBlocks];
    for (int j = 0; j < kSubBlocks; ++j) {
      scales[j] =
          RefineSymmetricLevels({weights + j * kSubBlock, kSubBlock}, kHalfRange, levels + j * kSubBlock);
    }
    StoreScales(scales, block);
    for (int j = 0; j < kSubBlocks; ++j) {
      const float step = Step(block, j);
      if (step == 0.0f) continue;  // the search's levels stay, as in ggml
      for (int i = j * kSubBlock; i < (j + 1) * kSubBlock; ++i) {
        levels[i] = static_cast<int8_t>(Clamp(NearestInt(weights[i] / step), -kHalfRange, kHalfRange - 1) +
                                        kHalfRange);
      }
    }
    PackLevels(levels, block);
  }

  static void Decode(const Block& block, float* weights) {
    for (int i = 0; i < kSuperBlock; ++i) {
      const int half = i / 128, within = i % 128;
      const int low = (block.levels[half * 32 + within % 32] >> (2 * (within / 32))) & 3;
      const int high = (block.high_bits[i % 32] >> (i / 32)) & 1;
      weights[i] = Step(block, i / kSubBlock) * static_cast<float>((low | high << 2) - kHalfRange);
    }
  }

 private:
  static void StoreScales(const float* scales, Block& block) {
    std::fill(std::begin(block.scales), std::end(block.scales), uint8_t{0});
    const float peak = PeakOf(scales);
    if (peak == 0.0f) {
      block.scale = 0;
      return;
    }
    const float inverse = static_cast<float>(-kScaleRange) / peak;
    for (int j = 0; j < kSubBlocks; ++j) {
      const int scale = Clamp(NearestInt(inverse * scales[j]), -kScaleRange, kScaleRange - 1);
      PackScale(block.scales, j, scale + kScaleRange);
    }
    block.scale = FloatToHalf(1.0f / inverse);
  }

  static void PackLevels(const int8_t* levels, Block& block) {
    std::fill(std::begin(block.high_bits), std::end(block.high_bits), uint8_t{0});
    for (int i = 0; i < kSuperBlock; ++i) {
      block.high_bits[i % 32] = static_cast<uint8_t>(block.high_bits[i % 32] | (levels[i] >> 2) << (i / 32));
    }
    for (int half = 0; half < kSuperBlock; half += 128) {
      for (int i = 0; i < 32; ++i) {
        const int8_t* l = levels + half + i;
        block.levels[half / 4 + i] =
            static_cast<uint8_t>((l[0] & 3) | (l[32] & 3) << 2 | (l[64] & 3) << 4 | (l[96] & 3) << 6);
      }
    }
  }
};

}  // namespace

const Codec& CodecQ3_K() {
  static const GgmlBlockCodec<Q3_K> codec;
  return codec;
}

}  // namespace quantd::quant
