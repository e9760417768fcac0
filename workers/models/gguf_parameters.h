// The numbers of a model as a GGUF file's metadata has them.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/gguf_value.h"
#include "workers/formats/source_tensor.h"
#include "workers/models/architecture.h"
#include "workers/models/hyper_parameters.h"

namespace quantd {

// The value of a whole number of any width, or empty when the key is absent. INVALID_ARGUMENT for another
// type or a number out of range.
absl::StatusOr<std::optional<int64_t>> GgufInteger(const GgufMetadata& metadata, const std::string& key);

// What the metadata does not say is read from the tensors: the vocabulary's size and whether the output has
// weights of its own. INVALID_ARGUMENT names the key.
absl::StatusOr<HyperParameters> ReadGgufParameters(const GgufMetadata& metadata,
                                                   const Architecture& architecture,
                                                   const std::vector<SourceTensor>& tensors);

}  // namespace quantd
