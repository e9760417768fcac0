// Tables of cosines and sines of the rotary angles: row = position, column = pair of dimensions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workers/models/targets/onnx/decoder.h"

namespace quantd {

struct RotaryCache {
  // Rows from `first_row` to the next range's: positions counted from 0 again.
  struct Range {
    int64_t first_row;
    std::vector<float> frequencies;  // angle of position 1, one a column
    float magnitude;                 // factor of cosines and sines
  };
  enum class Function { kCosine, kSine };

  std::string name;  // of its initializer
  Function function;
  int64_t rows;
  int64_t columns;
  std::vector<Range> ranges;
};

// "cos_cache", "sin_cache"; of a LongRoPE model with an If node "cos_cache_large", "sin_cache_large",
// "cos_cache_small", "sin_cache_small"; for providers without If "cos_cache", "sin_cache" with the small
// table's rows before the large one's.
std::vector<RotaryCache> RotaryCaches(const OnnxDecoder& decoder);

// Rows first_row … first_row + rows − 1, to out[rows * cache.columns]: in float from the frequencies on, as
// the reference implementations do, so that rows can be computed in any tiles.
void ComputeRotaryRows(const RotaryCache& cache, int64_t first_row, int64_t rows, float* out);

}  // namespace quantd
