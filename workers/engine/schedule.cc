#include "workers/engine/schedule.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

// A slice that an output tensor takes of some source tensor.
struct Taker {
  size_t target;
  size_t tensor;
  const SourceSlice* slice;
  int64_t output_row;  // of the slice's first row
  bool is_last_slice;
};

std::vector<std::vector<Taker>> TakersOfSources(const Model& model,
                                                std::span<const OutputPlan* const> plans) {
  std::vector<std::vector<Taker>> takers(model.tensors.size());
  for (size_t target = 0; target < plans.size(); ++target) {
    for (size_t tensor = 0; tensor < plans[target]->tensors.size(); ++tensor) {
      const std::vector<SourceSlice>& slices = plans[target]->tensors[tensor].sources;
      int64_t output_row = 0;
      for (const SourceSlice& slice : slices) {
        takers[slice.tensor].push_back({target, tensor, &slice, output_row, &slice == &slices.back()});
        output_row += slice.rows;
      }
    }
  }
  return takers;
}

// Rows at which the set of takers changes, both ends of the tensor included.
std::set<int64_t> Boundaries(const std::vector<Taker>& takers, int64_t rows) {
  std::set<int64_t> boundaries = {0, rows};
  for (const Taker& taker : takers) {
    boundaries.insert(taker.slice->first_row);
    boundaries.insert(taker.slice->first_row + taker.slice->rows);
  }
  return boundaries;
}

// The largest divisor of `rows` that is at most `most`.
int64_t LargestDivisor(int64_t rows, int64_t most) {
  int64_t step = std::min(rows, most);
  while (rows % step != 0) --step;
  return step;
}

// Whole heads where an output rotates them, and no tile across matrices whose columns weigh differently.
int64_t TileRows(const Segment& segment, int64_t columns, std::span<const OutputPlan* const> plans) {
  int64_t unit = 1, most = std::max<int64_t>(1, segment.rows);
  for (const Route& route : segment.routes) {
    const OutputTensor& output = plans[route.target]->tensors[route.tensor];
    unit = std::lcm(unit, output.rows_per_head);
    if (output.importance != nullptr) most = std::min(most, output.rows_per_importance());
  }
  const int64_t rows = std::max<int64_t>(1, kTileWeights / std::max<int64_t>(1, columns) / unit) * unit;
  return most == segment.rows ? rows : LargestDivisor(most, rows);
}

// Follows what each target is given, to see that its tensors come whole and in order.
class OrderCheck {
 public:
  explicit OrderCheck(std::span<const OutputPlan* const> plans) : plans_(plans) {
    for (const OutputPlan* plan : plans) {
      size_t tensor = 0;
      while (tensor < plan->tensors.size() && plan->tensors[tensor].sources.empty()) ++tensor;
      next_.push_back({tensor, 0});
    }
  }

  absl::Status Take(const Segment& segment) {
    std::set<size_t> targets;
    for (const Route& route : segment.routes) {
      Position& next = next_[route.target];
      const OutputTensor& tensor = plans_[route.target]->tensors[route.tensor];
      const bool is_first = targets.insert(route.target).second;
      if (!is_first || route.tensor != next.tensor || route.output_row != next.row) return OutOfOrder(tensor);
      next.row += segment.rows;
      if (!route.ends_tensor) continue;
      if (next.row != tensor.rows()) return OutOfOrder(tensor);
      next = {next.tensor + 1, 0};
    }
    return absl::OkStatus();
  }

  absl::Status AllTaken() const {
    for (size_t target = 0; target < plans_.size(); ++target) {
      if (next_[target].tensor < plans_[target]->tensors.size())
        return OutOfOrder(plans_[target]->tensors[next_[target].tensor]);
    }
    return absl::OkStatus();
  }

 private:
  struct Position {
    size_t tensor;
    int64_t row;
  };

  static absl::Status OutOfOrder(const OutputTensor& tensor) {
    return absl::InternalError(
        absl::StrCat("the plan's tensor ", tensor.name, " does not follow the order of the model's tensors"));
  }

  std::span<const OutputPlan* const> plans_;
  std::vector<Position> next_;
};

Segment MakeSegment(size_t source, int64_t first_row, int64_t end_row, const std::vector<Taker>& takers) {
  Segment segment{source, first_row, end_row - first_row, 0, {}};
  for (const Taker& taker : takers) {
    const SourceSlice& slice = *taker.slice;
    if (first_row < slice.first_row || end_row > slice.first_row + slice.rows) continue;
    segment.routes.push_back({taker.target, taker.tensor, taker.output_row + first_row - slice.first_row,
                              slice.row_order,
                              taker.is_last_slice && end_row == slice.first_row + slice.rows});
  }
  return segment;
}

}  // namespace

absl::StatusOr<std::vector<Segment>> MakeSchedule(const Model& model,
                                                  std::span<const OutputPlan* const> plans) {
  const std::vector<std::vector<Taker>> takers = TakersOfSources(model, plans);
  std::vector<Segment> schedule;
  OrderCheck order(plans);
  for (size_t source = 0; source < model.tensors.size(); ++source) {
    const SourceTensor& tensor = model.tensors[source].source;
    const std::set<int64_t> boundaries = Boundaries(takers[source], tensor.rows());
    for (auto end = std::next(boundaries.begin()); end != boundaries.end(); ++end) {
      Segment segment = MakeSegment(source, *std::prev(end), *end, takers[source]);
      segment.tile_rows = TileRows(segment, tensor.columns(), plans);
      RETURN_IF_ERROR(order.Take(segment));
      schedule.push_back(std::move(segment));
    }
  }
  RETURN_IF_ERROR(order.AllTaken());
  return schedule;
}

}  // namespace quantd
