// The order in which a job reads its source: which rows, and for which output tensors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/output_plan.h"
#include "workers/models/model.h"

namespace quantd {

inline constexpr int64_t kTileWeights = int64_t{1} << 19;

// An output tensor that takes a segment's rows.
struct Route {
  size_t target = 0;
  size_t tensor = 0;       // of the target's plan
  int64_t output_row = 0;  // what the segment's first row is in the output tensor
  RowOrder order = RowOrder::kAsSource;
  bool ends_tensor = false;
};

// Rows of one source tensor that go the same ways.
struct Segment {
  size_t source = 0;  // index of the model's tensor
  int64_t first_row = 0;
  int64_t rows = 0;
  int64_t tile_rows = 0;  // of every tile but the last
  std::vector<Route> routes;
};

// Every row of every source tensor once, in the order of the model's tensors. INTERNAL when a plan's tensors
// do not follow that order.
absl::StatusOr<std::vector<Segment>> MakeSchedule(const Model& model,
                                                  std::span<const OutputPlan* const> plans);

}  // namespace quantd
