// config.json for outputs that Hugging Face's loaders and mlx-lm read.
#pragma once

#include "absl/status/statusor.h"
#include "base/json.h"
#include "workers/models/model.h"

namespace quantd {

// The checkpoint's own configuration; for a GGUF file one with the same meaning. FAILED_PRECONDITION when the
// file's rotary factors are none that a configuration can say.
absl::StatusOr<Json> HuggingFaceConfig(const Model& model);

}  // namespace quantd
