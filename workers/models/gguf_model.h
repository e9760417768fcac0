// A model from GGUF files.
#pragma once

#include "absl/status/statusor.h"
#include "workers/models/model.h"

namespace quantd {

// As OpenModel, for a checkpoint that is one GGUF file or the parts of one.
absl::StatusOr<Model> OpenGgufModel(const CheckpointFiles& files);

}  // namespace quantd
