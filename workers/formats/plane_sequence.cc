#include "workers/formats/plane_sequence.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {

absl::Status PlaneSequence::Append(size_t tensor, size_t plane, std::span<const std::byte> bytes) {
  if (tensor != tensor_) RETURN_IF_ERROR(EndTensor(tensor));
  if (plane == 0) {
    first_plane_bytes_ += static_cast<int64_t>(bytes.size());
    return write_(tensor, 0, bytes);
  }
  if (waiting_.size() < plane) waiting_.resize(plane);
  waiting_[plane - 1].insert(waiting_[plane - 1].end(), bytes.begin(), bytes.end());
  return absl::OkStatus();
}

absl::Status PlaneSequence::Finish() { return EndTensor(plan_.tensors.size()); }

// Passes on the planes that waited, and moves on to `next`, which must be the tensor after this one.
absl::Status PlaneSequence::EndTensor(size_t next) {
  const OutputTensor& tensor = plan_.tensors[tensor_];
  const size_t planes = tensor.codec->planes().size();
  if (next != tensor_ + 1 || first_plane_bytes_ != tensor.PlaneBytes(0) || waiting_.size() + 1 != planes) {
    return absl::InternalError(absl::StrCat("tensor ", tensor.name, " is not complete before tensor ", next));
  }
  for (size_t plane = 1; plane < planes; ++plane) {
    if (static_cast<int64_t>(waiting_[plane - 1].size()) != tensor.PlaneBytes(plane)) {
      return absl::InternalError(
          absl::StrCat("plane ", plane, " of tensor ", tensor.name, " is not complete"));
    }
    RETURN_IF_ERROR(write_(tensor_, plane, waiting_[plane - 1]));
  }
  waiting_.clear();
  first_plane_bytes_ = 0;
  tensor_ = next;
  return absl::OkStatus();
}

}  // namespace quantd
