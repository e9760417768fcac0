#include "workers/models/targets/onnx/rotary_caches.h"

#include <algorithm>
#include <cmath>

#include "workers/models/targets/gguf_metadata.h"
#include "workers/models/targets/rotary_frequencies.h"

namespace quantd {
namespace {

// What one pair of caches of cosines and sines holds.
struct Table {
  int64_t rows = 0;
  std::vector<RotaryCache::Range> ranges;
};

Table PlainTable(const OnnxDecoder& decoder) {
  return {decoder.parameters.context, {{0, RotaryFrequencies(decoder.parameters, {}), 1.0f}}};
}

// LongRoPE's, for contexts up to the trained one, and for longer ones.
Table ShortTable(const OnnxDecoder& decoder) {
  const HyperParameters& p = decoder.parameters;
  const double magnitude = p.rope_scaling->short_magnitude.value_or(LongRopeAttentionFactor(p));
  return {std::min(p.context, decoder.original_context()),
          {{0, RotaryFrequencies(decoder.parameters, p.rope_scaling->short_factors),
            static_cast<float>(magnitude)}}};
}

Table LongTable(const OnnxDecoder& decoder) {
  const HyperParameters& p = decoder.parameters;
  const double magnitude = p.rope_scaling->long_magnitude.value_or(LongRopeAttentionFactor(p));
  return {p.context,
          {{0, RotaryFrequencies(decoder.parameters, p.rope_scaling->long_factors),
            static_cast<float>(magnitude)}}};
}

Table Join(Table first, Table second) {
  for (RotaryCache::Range& range : second.ranges) {
    range.first_row += first.rows;
    first.ranges.push_back(std::move(range));
  }
  first.rows += second.rows;
  return first;
}

void AddPair(const std::string& suffix, const OnnxDecoder& decoder, const Table& table,
             std::vector<RotaryCache>& caches) {
  const int64_t columns = decoder.rotary_size() / 2;
  caches.push_back({"cos_cache" + suffix, RotaryCache::Function::kCosine, table.rows, columns, table.ranges});
  caches.push_back({"sin_cache" + suffix, RotaryCache::Function::kSine, table.rows, columns, table.ranges});
}

const RotaryCache::Range& RangeOf(const RotaryCache& cache, int64_t row) {
  const auto after = std::upper_bound(
      cache.ranges.begin(), cache.ranges.end(), row,
      [](int64_t wanted, const RotaryCache::Range& range) { return wanted < range.first_row; });
  return *std::prev(after);
}

}  // namespace

std::vector<RotaryCache> RotaryCaches(const OnnxDecoder& decoder) {
  std::vector<RotaryCache> caches;
  if (!decoder.has_long_rope()) {
    AddPair("", decoder, PlainTable(decoder), caches);
  } else if (!decoder.has_two_rotary_ranges()) {
    AddPair("", decoder, ShortTable(decoder), caches);
  } else if (!decoder.recipe.rotates_in_attention()) {
    AddPair("", decoder, Join(ShortTable(decoder), LongTable(decoder)), caches);
  } else {
    AddPair("_large", decoder, LongTable(decoder), caches);
    AddPair("_small", decoder, ShortTable(decoder), caches);
  }
  return caches;
}

void ComputeRotaryRows(const RotaryCache& cache, int64_t first_row, int64_t rows, float* out) {
  for (int64_t row = first_row; row < first_row + rows; ++row) {
    const RotaryCache::Range& range = RangeOf(cache, row);
    const float position = static_cast<float>(row - range.first_row);
    for (float frequency : range.frequencies) {
      // The angle is rounded to float; its cosine is computed wider, so that it is rounded once.
      const double angle = position * frequency;
      const double value =
          cache.function == RotaryCache::Function::kCosine ? std::cos(angle) : std::sin(angle);
      *out++ = static_cast<float>(value) * range.magnitude;
    }
  }
}

}  // namespace quantd
