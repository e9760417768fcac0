// Puts the planes of each tensor one after the other, for formats that store them so.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "workers/formats/output_plan.h"

namespace quantd {

// The planes of a tensor arrive in turns, a tile of each. The first plane's bytes are passed on at once,
// those of the others, which are small, wait in memory until the tensor is complete. Used by one thread.
class PlaneSequence {
 public:
  // Gets every plane's bytes in order: plane after plane, tensor after tensor.
  using Write = std::function<absl::Status(size_t tensor, size_t plane, std::span<const std::byte> bytes)>;

  // `plan` outlives it.
  PlaneSequence(const OutputPlan& plan, Write write) : plan_(plan), write_(std::move(write)) {}

  // INTERNAL when a tensor begins before the one before it in the plan is complete.
  absl::Status Append(size_t tensor, size_t plane, std::span<const std::byte> bytes);

  // INTERNAL unless all tensors are complete.
  absl::Status Finish();

 private:
  absl::Status EndTensor(size_t next);

  const OutputPlan& plan_;
  Write write_;
  size_t tensor_ = 0;
  int64_t first_plane_bytes_ = 0;
  std::vector<std::vector<std::byte>> waiting_;
};

}  // namespace quantd
