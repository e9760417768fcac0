// OpenVINO's compressed weights, as NNCF makes them: groups of a row, or the whole row, share a scale, and a
// zero point where the type has them: weight = scale * (level - zero point), in float, as the CPU plugin
// computes it. Planes:
//   weight       levels, 8 bits each or 4 (even weight below): u8 and u4 with zero points, i8 and i4 without;
//   scale        F16, one a group;
//   zero_point   one byte a group. The file packs those of 4-bit types two to a byte, through all rows. Rows
//                of an odd number of groups share bytes then, so that only the writer can pack them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "workers/quant/codec.h"

namespace quantd::quant {

struct OpenVinoIntegers {
  int bits = 4;               // 4 or 8
  int64_t group = kWholeRow;  // or 32, 64, 128
  bool symmetric = true;

  int64_t GroupsOf(int64_t columns) const {
    return group == kWholeRow ? std::min<int64_t>(columns, 1) : columns / group;
  }
  int64_t GroupSize(int64_t columns) const { return group == kWholeRow ? columns : group; }
};

// What 8 bits with a zero point would lose: the mean over a row of the squared difference between its weights
// and scale * (level - zero point), with the scale as it is before it is rounded to be stored; of the row
// where it is largest. NaN for weights that are not finite. The same number on every CPU target.
double WorstInt8Error(const WeightRows& weights);

}  // namespace quantd::quant
