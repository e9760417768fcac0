// What lane code reads and writes on a GPU, where a lane is a thread and a thread has one block: the counterparts
// of lanes/views-inl.h over device memory. Also compiled for the host, where tests run them.
#pragma once

#include <cstdint>

#include "workers/quant/lanes/lane_function.h"

namespace quantd::quant::cuda {

// N consecutive elements, kept in registers: every index must be known when the loops are unrolled.
template <int N>
struct RegisterSlice {
  static constexpr bool kPresent = true;
  float values[N];
  QUANTD_LANE float operator[](int i) const { return values[i]; }
};

// One block's weights, or the importance of its columns.
class BlockView {
 public:
  static constexpr bool kPresent = true;
  explicit QUANTD_LANE BlockView(const float* block) : block_(block) {}
  QUANTD_LANE float operator[](int i) const { return block_[i]; }
  template <int N>
  QUANTD_LANE RegisterSlice<N> Slice(int first) const {
    RegisterSlice<N> slice;
    QUANTD_UNROLL
    for (int i = 0; i < N; ++i) slice.values[i] = block_[first + i];
    return slice;
  }

 private:
  const float* block_;
};

// The importance of a block's columns, and the mean square of its row.
class ImportanceBlockView : public BlockView {
 public:
  QUANTD_LANE ImportanceBlockView(const float* importance, float row_mean_square)
      : BlockView(importance), row_mean_square_(row_mean_square) {}
  QUANTD_LANE float RowMeanSquare() const { return row_mean_square_; }

 private:
  float row_mean_square_;
};

struct NoImportance {
  static constexpr bool kPresent = false;
  template <int N>
  QUANTD_LANE NoImportance Slice(int) const {
    return {};
  }
};

// The bytes of one stored block as little-endian words, the first of which begins kLead bytes before the block.
// Blocks of 4-byte multiples without a lead are written in words, others in halves or bytes, as their addresses
// allow.
template <int kBytes, int kLead>
class BlockWords {
 public:
  explicit QUANTD_LANE BlockWords(uint8_t* block) : block_(block) {}

  QUANTD_LANE void Set(int word, int32_t value) {
    const int at = word * 4 - kLead;
    if constexpr (kBytes % 4 == 0 && kLead == 0) {
      reinterpret_cast<uint32_t*>(block_)[word] = static_cast<uint32_t>(value);
    } else if constexpr (kBytes % 2 == 0 && kLead % 2 == 0) {
      if (at >= 0) reinterpret_cast<uint16_t*>(block_ + at)[0] = static_cast<uint16_t>(value);
      if (at + 2 < kBytes) reinterpret_cast<uint16_t*>(block_ + at)[1] = static_cast<uint16_t>(value >> 16);
    } else {
      for (int byte = 0; byte < 4; ++byte) {
        if (at + byte >= 0 && at + byte < kBytes) block_[at + byte] = static_cast<uint8_t>(value >> (8 * byte));
      }
    }
  }
  QUANTD_LANE int32_t Get(int word) const {
    const int at = word * 4 - kLead;
    uint32_t value = 0;
    for (int byte = 0; byte < 4; ++byte) {
      if (at + byte >= 0 && at + byte < kBytes) value |= static_cast<uint32_t>(block_[at + byte]) << (8 * byte);
    }
    return static_cast<int32_t>(value);
  }

 private:
  uint8_t* block_;
};

}  // namespace quantd::quant::cuda
