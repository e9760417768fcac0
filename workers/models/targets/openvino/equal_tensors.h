// Whether two tensors hold the same weights.
#pragma once

#include "absl/status/statusor.h"
#include "workers/formats/source_tensor.h"

namespace quantd {

// Compares type, shape and stored bytes, up to the first difference. Errors are those of reading.
absl::StatusOr<bool> AreEqual(const SourceTensor& a, const SourceTensor& b);

}  // namespace quantd
