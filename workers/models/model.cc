#include "workers/models/model.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/formats/safetensors_reader.h"
#include "workers/models/gguf_model.h"
#include "workers/models/match_tensors.h"

namespace quantd {
namespace {

absl::StatusOr<const Architecture*> ReadArchitecture(const Json& config) {
  const auto names = config.find("architectures");
  if (names == config.end() || !names->is_array() || names->empty() || !(*names)[0].is_string()) {
    return absl::InvalidArgumentError("config.json: architectures is missing");
  }
  const std::string name = (*names)[0].get<std::string>();
  const Architecture* architecture = FindArchitecture(name);
  if (architecture == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("config.json: architecture ", name,
                                                      " is not supported; known are ", KnownArchitectures()));
  }
  return architecture;
}

absl::StatusOr<Model> OpenHuggingFaceModel(const CheckpointFiles& files) {
  Model model;
  ASSIGN_OR_RETURN(model.config, files.ReadJson("config.json"));
  if (!model.config.is_object()) return absl::InvalidArgumentError("config.json: is not an object");
  ASSIGN_OR_RETURN(model.architecture, ReadArchitecture(model.config));
  ASSIGN_OR_RETURN(model.parameters, ReadHyperParameters(model.config));
  RETURN_IF_ERROR(model.architecture->check(model.parameters));
  ASSIGN_OR_RETURN(std::vector<SourceTensor> sources, ReadSafetensorsCheckpoint(files));
  ASSIGN_OR_RETURN(model.tensors, MatchTensors(*model.architecture, model.parameters,
                                               {&TensorRule::huggingface, "config.json", "num_hidden_layers"},
                                               std::move(sources)));
  return model;
}

// Puts query, key and value of each layer, in this order, where the first of them was.
void JoinQueryKeyValue(std::vector<ModelTensor>& tensors) {
  const auto is_part = [](const ModelTensor& tensor) {
    return tensor.role == TensorRole::kAttentionQuery || tensor.role == TensorRole::kAttentionKey ||
           tensor.role == TensorRole::kAttentionValue;
  };
  std::map<int64_t, std::vector<ModelTensor>> parts;  // by layer
  for (ModelTensor& tensor : tensors) {
    if (is_part(tensor)) parts[tensor.layer].push_back(tensor);
  }
  std::vector<ModelTensor> ordered;
  for (ModelTensor& tensor : tensors) {
    if (!is_part(tensor)) {
      ordered.push_back(std::move(tensor));
      continue;
    }
    std::vector<ModelTensor>& joined = parts[tensor.layer];
    std::sort(joined.begin(), joined.end(),
              [](const ModelTensor& a, const ModelTensor& b) { return a.role < b.role; });
    std::move(joined.begin(), joined.end(), std::back_inserter(ordered));
    joined.clear();
  }
  tensors = std::move(ordered);
}

bool HasGguf(const CheckpointFiles& files) {
  const std::vector<std::string> paths = files.Paths();
  return std::any_of(paths.begin(), paths.end(),
                     [](const std::string& path) { return absl::EndsWith(path, ".gguf"); });
}

}  // namespace

int64_t Model::ParameterCount() const {
  int64_t count = 0;
  for (const ModelTensor& tensor : tensors) count += tensor.source.elements();
  return count;
}

bool RowsDiffer(const Model& model, TensorRole role) {
  return model.architecture->gguf_reorders_query_and_key &&
         (role == TensorRole::kAttentionQuery || role == TensorRole::kAttentionKey);
}

absl::StatusOr<Model> OpenModel(const CheckpointFiles& files, std::string display_name) {
  const bool has_config = files.Find("config.json") != nullptr;
  if (!has_config && !HasGguf(files))
    return absl::InvalidArgumentError("the checkpoint has neither config.json nor a *.gguf file");
  ASSIGN_OR_RETURN(Model model, has_config ? OpenHuggingFaceModel(files) : OpenGgufModel(files));
  JoinQueryKeyValue(model.tensors);
  model.display_name = std::move(display_name);
  model.files = &files;
  return model;
}

}  // namespace quantd
