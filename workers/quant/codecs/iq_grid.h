// The grids of the IQ1, IQ2 and IQ3 types: sets of points, of which each group of 8 (IQ1, IQ2) or 4 (IQ3)
// weights takes the nearest and stores its index.
//
// A coordinate of a point is a level: 0 … 2 in grids of 8 coordinates, 0 … 7 in those of 4. A group of levels
// is packed into an integer of 16 (12) bits: 2 (3) bits a level, the first level lowest. Level l stands for
// 2 * l + 1 steps of the scale in the searches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "workers/quant/lanes/lane_function.h"

namespace quantd::quant {

enum class IqGridName { kIq2Xxs, kIq2Xs, kIq2S, kIq1, kIq3Xxs, kIq3S };

// What lane code reads: pointers into the memory of the machine, or of a GPU.
struct IqGrid {
  // The packed levels of each point, by its index; ascending.
  const int32_t* points;
  // By any packed levels, their cell: the index of the point with these levels, not negative, or else a list
  // of points of which one is nearest to weights of these levels, negative (see IqList). 0 where a level is
  // one that the grid does not have.
  const int32_t* cells;
  // The same for a shorter list: without the points that are never nearer than an earlier one of the list to
  // weights that round to these levels. (Weights half-way between two levels may round to either: for them
  // only the list of `cells` is right.)
  const int32_t* near_cells;
  // Packed levels of points: the elements of the lists. Vectors may read kIqListPadding elements past a list.
  const int32_t* lists;
};

inline constexpr int kIqListPadding = 16;

// The list of a negative cell: ascending by distance from the cell, then by index.
struct IqList {
  static constexpr int kCountBits = 9;
  static constexpr int32_t kCountMask = (1 << kCountBits) - 1;

  static QUANTD_LANE int First(int32_t cell) { return (cell & 0x7fffffff) >> kCountBits; }
  static QUANTD_LANE int Count(int32_t cell) { return cell & kCountMask; }
};

// A grid's memory.
struct IqGridArrays {
  std::vector<int32_t> points;
  std::vector<int32_t> cells;
  std::vector<int32_t> near_cells;
  std::vector<int32_t> lists;

  IqGrid view() const { return {points.data(), cells.data(), near_cells.data(), lists.data()}; }
};

// Made at the first call for that grid, then kept. Thread-safe.
const IqGridArrays& IqGridOf(IqGridName name);

}  // namespace quantd::quant
