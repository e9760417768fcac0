// Runs a codec's lane code over rows of weights on a CPU: as many blocks at a time as there are lanes.
//
// `Code` is the codec's lane code, a struct template over the lanes with
//   kWeights, kBytes   of a block;
//   kLead              bytes before the block's first in its first word, so that the block's arrays fall on
//                      whole words (a block of a 2-byte scale and words of levels has a lead of 2);
//   kUsesRowMeanSquare (optional)   whether importance.RowMeanSquare() is asked for;
//   kGrid (optional)              the grid that is passed to Encode;
//   kRequiresImportance (optional)   whether there is no Encode without importance;
//   static void Encode([grid,] weights, importance, words)   weights[i], importance[i] (or NoImportance),
//   words.Set().
#include <algorithm>
#include <cstring>

#include "workers/quant/codec.h"
#include "workers/quant/codecs/iq_grid.h"
#include "workers/quant/lanes/transpose-inl.h"
#include "workers/quant/lanes/views-inl.h"
#include "workers/quant/widen.h"

#if defined(QUANTD_LANES_ENCODE_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_ENCODE_BLOCKS_INL_H_
#undef QUANTD_LANES_ENCODE_BLOCKS_INL_H_
#else
#define QUANTD_LANES_ENCODE_BLOCKS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

template <template <class> class Code>
class BlockEncoder {
 public:
  BlockEncoder(const WeightRows& weights, const float* importance)
      : weights_(weights), importance_(importance), blocks_per_row_(weights.columns / kWeights) {}

  void Run(std::byte* out) {
    const int64_t blocks = weights_.rows * blocks_per_row_;
    for (int64_t first = 0; first < blocks; first += kLanes) {
      EncodeBatch(first, static_cast<int>(std::min<int64_t>(kLanes, blocks - first)), out + first * kBytes);
    }
  }

 private:
  using LaneCode = Code<Lanes>;
  static constexpr int kLanes = Lanes::kCount;
  static constexpr int kWeights = LaneCode::kWeights;
  static constexpr int kBytes = LaneCode::kBytes;
  static constexpr int kWords = (LaneCode::kLead + kBytes + 15) / 16 * 4;  // whole 4 x 4 transposes

  void EncodeBatch(int64_t first, int count, std::byte* out) {
    const TileView<Lanes> weights(LoadWeights(first, count));
    WordTile<Lanes> words(word_tile_);
    if (importance_ != nullptr) {
      const float* tile = LoadImportance(first, count);
      EncodeLanes(weights, ImportanceView<Lanes>(tile, row_mean_squares_), words);
    } else if constexpr (!requires { LaneCode::kRequiresImportance; }) {
      EncodeLanes(weights, NoImportance(), words);
    }
    TileToBlocks(word_tile_, kWords, block_words_);
    for (int lane = 0; lane < count; ++lane) {
      std::memcpy(out + lane * kBytes,
                  reinterpret_cast<const std::byte*>(block_words_ + lane * kWords) + LaneCode::kLead, kBytes);
    }
  }

  template <class Importance>
  void EncodeLanes(const TileView<Lanes>& weights, const Importance& importance, WordTile<Lanes>& words) {
    if constexpr (requires { LaneCode::kGrid; }) {
      LaneCode::Encode(grid_, weights, importance, words);
    } else {
      LaneCode::Encode(weights, importance, words);
    }
  }

  static IqGrid GridOfCode() {
    if constexpr (requires { LaneCode::kGrid; }) {
      return IqGridOf(LaneCode::kGrid).view();
    } else {
      return {};
    }
  }

  const float* LoadWeights(int64_t first, int count) {
    const float* floats = static_cast<const float*>(weights_.data) + first * kWeights;
    if (weights_.type != WeightType::kF32) {
      Widen(weights_, first * kWeights, int64_t{count} * kWeights, widened_);
      floats = widened_;
    }
    for (int lane = 0; lane < kLanes; ++lane)
      pointers_[lane] = lane < count ? floats + lane * kWeights : kZeros;
    return ToTile(weight_tile_);
  }

  const float* LoadImportance(int64_t first, int count) {
    for (int lane = 0; lane < kLanes; ++lane) {
      pointers_[lane] = lane < count ? importance_ + (first + lane) % blocks_per_row_ * kWeights : kZeros;
    }
    if constexpr (requires { LaneCode::kUsesRowMeanSquare; }) {
      for (int lane = 0; lane < kLanes; ++lane) {
        row_mean_squares_[lane] = lane < count ? MeanSquareOf((first + lane) / blocks_per_row_) : 0.0f;
      }
    }
    return ToTile(importance_tile_);
  }

  // Summed one after the other, as the reference does. Blocks come row by row: the last row's is kept.
  float MeanSquareOf(int64_t row) {
    if (row == measured_row_) return measured_mean_square_;
    float sum = 0.0f;
    for (int64_t column = 0; column < weights_.columns; column += kWeights) {
      float block[kWeights];
      Widen(weights_, row * weights_.columns + column, kWeights, block);
      for (float weight : block) sum += weight * weight;
    }
    measured_row_ = row;
    measured_mean_square_ = sum / static_cast<float>(weights_.columns);
    return measured_mean_square_;
  }

  const float* ToTile(float* tile) {
    BlocksToTile(pointers_, kWeights, tile);
    return tile;
  }

  static constexpr float kZeros[kWeights] = {};

  const WeightRows& weights_;
  const float* importance_;
  const int64_t blocks_per_row_;
  const IqGrid grid_ = GridOfCode();
  int64_t measured_row_ = -1;
  float measured_mean_square_ = 0.0f;
  const float* pointers_[kLanes];
  alignas(64) float row_mean_squares_[kLanes];
  alignas(64) float widened_[kLanes * kWeights];
  alignas(64) float weight_tile_[kLanes * kWeights];
  alignas(64) float importance_tile_[kLanes * kWeights];
  alignas(64) uint32_t word_tile_[kLanes * kWords];
  alignas(64) uint32_t block_words_[kLanes * kWords];
};

// `importance` is null or one number for each column.
template <template <class> class Code>
void EncodeBlocks(const WeightRows& weights, const float* importance, std::byte* out) {
  BlockEncoder<Code>(weights, importance).Run(out);
}

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
