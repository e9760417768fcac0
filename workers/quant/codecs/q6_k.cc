#include <algorithm>
#include <cmath>
#include <cstring>

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
constexpr int kHalfRange = 32;

float Step(const BlockQ6_K& block, int j) {
  return HalfToFloat(block.scale) * static_cast<float>(block.scales[j]);
}

struct Q6_K {
  using Block = BlockQ6_K;
  static constexpr std::string_view kName = "Q6_K";
  static constexpr int64_t kWeights = kSuperBlock;

  static void Encode(const float* weights, Block& block) {
    int8_t levels[kSuperBlock];
    float scales[kSubBlocks];
    float peak = 0.0f;
    for (int j = 0; j < kSubBlocks; ++j) {
      scales[j] =
          SearchSymmetricScale({weights + j * kSubBlock, kSubBlock}, kHalfRange, levels + j * kSubBlock);
      if (std::fabs(scales[j]) > std::fabs(peak)) peak = scales[j];
    }
    if (std::fabs(peak) < kNegligible) {
      std::memset(&block, 0, sizeof(block));
      return;
    }
    const float inverse = -128.0f / peak;
    block.scale = FloatToHalf(1.0f / inverse);
    for (int j = 0; j < kSubBlocks; ++j) {
      block.scales[j] = static_cast<int8_t>(std::min(127, NearestInt(inverse * scales[j])));
    }
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
      // Each half of 128 weights is four runs of 32: low nibbles of runs 0 and 1 lie below those of runs 2
      // and 3, the high two bits of all four share a byte.
      const int half = i / 128, run = i % 128 / 32, within = i % 32;
      const int low = (block.low_levels[half * 64 + (run % 2) * 32 + within] >> (4 * (run / 2))) & 15;
      const int high = (block.high_levels[half * 32 + within] >> (2 * run)) & 3;
      weights[i] = Step(block, i / kSubBlock) * static_cast<float>((low | high << 4) - kHalfRange);
    }
  }

 private:
  static void PackLevels(const int8_t* levels, Block& block) {
    for (int half = 0; half < 2; ++half) {
      for (int i = 0; i < 32; ++i) {
        const int8_t* l = levels + half * 128 + i;
        uint8_t* low = block.low_levels + half * 64 + i;
        low[0] = static_cast<uint8_t>((l[0] & 15) | (l[64] & 15) << 4);
        low[32] = static_cast<uint8_t>((l[32] & 15) | (l[96] & 15) << 4);
        block.high_levels[half * 32 + i] =
            static_cast<uint8_t>(l[0] >> 4 | (l[32] >> 4) << 2 | (l[64] >> 4) << 4 | (l[96] >> 4) << 6);
      }
    }
  }
};

}  // namespace

const Codec& CodecQ6_K() {
  static const GgmlBlockCodec<Q6_K> codec;
  return codec;
}

}  // namespace quantd::quant
