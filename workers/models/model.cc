#include "workers/models/model.h"

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "workers/formats/safetensors_reader.h"

namespace quantd {
namespace {

struct ExpectedTensor {
  const TensorRule* rule;
  int64_t layer;
};

std::string KnownArchitectures() {
  return absl::StrJoin(AllArchitectures(), ", ", [](std::string* out, const Architecture* architecture) {
    absl::StrAppend(out, std::string(architecture->name));
  });
}

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

// By Hugging Face name.
std::map<std::string, ExpectedTensor> ExpectedTensors(const Architecture& architecture, int64_t layers) {
  std::map<std::string, ExpectedTensor> expected;
  for (const TensorRule& rule : architecture.tensors) {
    if (!rule.per_layer()) {
      expected[std::string(rule.huggingface)] = {&rule, -1};
      continue;
    }
    for (int64_t layer = 0; layer < layers; ++layer)
      expected[TensorName(rule.huggingface, layer)] = {&rule, layer};
  }
  return expected;
}

// Tensors that carry nothing: angles that are computed anyway, and the second name of tied embeddings.
bool IsRedundant(const std::string& name, const HyperParameters& parameters) {
  return absl::EndsWith(name, ".rotary_emb.inv_freq") ||
         (parameters.tied_embeddings && name == "lm_head.weight");
}

absl::Status CheckShape(const SourceTensor& tensor, const TensorRule& rule,
                        const HyperParameters& parameters) {
  const std::vector<int64_t> expected = rule.shape(parameters);
  if (tensor.shape == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      tensor.path, ": tensor ", tensor.name, " has the shape [", absl::StrJoin(tensor.shape, ", "),
      "], but config.json implies [", absl::StrJoin(expected, ", "), "]"));
}

absl::StatusOr<std::vector<ModelTensor>> MatchTensors(const Architecture& architecture,
                                                      const HyperParameters& parameters,
                                                      std::vector<SourceTensor> sources) {
  // A configuration of millions of layers is refused before a table of them is made.
  if (parameters.layers > static_cast<int64_t>(sources.size())) {
    return absl::InvalidArgumentError(absl::StrCat("config.json: num_hidden_layers is ", parameters.layers,
                                                   ", but the checkpoint has only ", sources.size(),
                                                   " tensors"));
  }
  std::map<std::string, ExpectedTensor> expected = ExpectedTensors(architecture, parameters.layers);
  if (parameters.tied_embeddings) expected.erase("lm_head.weight");
  std::vector<ModelTensor> tensors;
  for (SourceTensor& source : sources) {
    if (IsRedundant(source.name, parameters)) continue;
    auto found = expected.find(source.name);
    if (found == expected.end()) {
      return absl::InvalidArgumentError(absl::StrCat(source.path, ": tensor ", source.name,
                                                     " is no part of a ", std::string(architecture.name),
                                                     " with ", parameters.layers, " layers"));
    }
    const auto [rule, layer] = found->second;
    RETURN_IF_ERROR(CheckShape(source, *rule, parameters));
    tensors.push_back({rule->role, layer, rule, std::move(source)});
    expected.erase(found);
  }
  if (!expected.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the checkpoint lacks the tensor ", expected.begin()->first, " of ", std::string(architecture.name),
        expected.size() > 1 ? absl::StrCat(" and ", expected.size() - 1, " more") : ""));
  }
  return tensors;
}

}  // namespace

int64_t Model::ParameterCount() const {
  int64_t count = 0;
  for (const ModelTensor& tensor : tensors) count += tensor.source.elements();
  return count;
}

absl::StatusOr<Model> OpenModel(const CheckpointFiles& files, std::string display_name) {
  Model model;
  model.display_name = std::move(display_name);
  model.files = &files;
  absl::StatusOr<Json> config = files.ReadJson("config.json");
  if (absl::IsNotFound(config.status()))
    return absl::InvalidArgumentError("the checkpoint has no config.json");
  RETURN_IF_ERROR(config.status());
  model.config = *std::move(config);
  if (!model.config.is_object()) return absl::InvalidArgumentError("config.json: is not an object");
  ASSIGN_OR_RETURN(model.architecture, ReadArchitecture(model.config));
  ASSIGN_OR_RETURN(model.parameters, ReadHyperParameters(model.config));
  RETURN_IF_ERROR(model.architecture->check(model.parameters));
  ASSIGN_OR_RETURN(std::vector<SourceTensor> sources, ReadSafetensorsCheckpoint(files));
  ASSIGN_OR_RETURN(model.tensors, MatchTensors(*model.architecture, model.parameters, std::move(sources)));
  return model;
}

}  // namespace quantd
