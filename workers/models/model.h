// A checkpoint after its headers were read and checked: everything a target is planned from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "workers/formats/checkpoint_files.h"
#include "workers/formats/gguf_value.h"
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

// A GGUF file's tensor of factors that slow rotary frequencies: no weights, computed from the configuration.
struct FrequencyFactors {
  std::string name;  // "rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"
  std::vector<float> values;
};

struct Model {
  // For people and for GGUF's general.name.
  std::string display_name;
  const Architecture* architecture;
  HyperParameters parameters;
  // Of a Hugging Face folder: config.json. Null for a GGUF file.
  Json config;
  // Of a GGUF file: its metadata and factors. Empty for a Hugging Face folder.
  std::optional<GgufMetadata> gguf_metadata;
  std::vector<FrequencyFactors> frequency_factors;
  // In the order of the source's bytes, so that one pass reads them without seeking; only query, key and
  // value of a layer stand together in this order, because some formats join them.
  std::vector<ModelTensor> tensors;
  // Points at the files it was opened from; they outlive it.
  const CheckpointFiles* files;

  bool from_gguf() const { return gguf_metadata.has_value(); }
  int64_t ParameterCount() const;
};

// Whether GGUF and Hugging Face keep the rows of these tensors in another order: see RowOrder.
bool RowsDiffer(const Model& model, TensorRole role);

// Opens a Hugging Face folder, or GGUF files where there is no config.json. Checks that configuration and
// weights agree: every tensor that the architecture needs is there with the shape that the configuration
// implies, and no other. Errors are INVALID_ARGUMENT or FAILED_PRECONDITION and name the file, the tensor or
// the key.
absl::StatusOr<Model> OpenModel(const CheckpointFiles& files, std::string display_name);

}  // namespace quantd
