// A checkpoint after its headers were read and checked: everything a target is planned from.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "workers/formats/checkpoint_files.h"
#include "workers/formats/source_tensor.h"
#include "workers/models/architecture.h"
#include "workers/models/hyper_parameters.h"

namespace quantd {

struct ModelTensor {
  TensorRole role;
  int64_t layer;  // -1 for tensors of the whole model
  const TensorRule* rule;
  SourceTensor source;
};

struct Model {
  // For people and for GGUF's general.name.
  std::string display_name;
  const Architecture* architecture;
  HyperParameters parameters;
  Json config;
  // In the order of the source's bytes, so that one pass reads them without seeking back.
  std::vector<ModelTensor> tensors;
  // Points at the files it was opened from; they outlive it.
  const CheckpointFiles* files;

  int64_t ParameterCount() const;
};

// Opens a Hugging Face folder. Checks that configuration and weights agree: every tensor that the
// architecture needs is there with the shape that config.json implies, and no other. Errors are
// INVALID_ARGUMENT or FAILED_PRECONDITION and name the file, the tensor or the key.
absl::StatusOr<Model> OpenModel(const CheckpointFiles& files, std::string display_name);

}  // namespace quantd
