#include "workers/models/match_tensors.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"

namespace quantd {
namespace {

struct ExpectedTensor {
  const TensorRule* rule;
  int64_t layer;
};

// By the source's name.
std::map<std::string, ExpectedTensor> ExpectedTensors(const Architecture& architecture,
                                                      const HyperParameters& parameters,
                                                      const TensorNaming& naming) {
  std::map<std::string, ExpectedTensor> expected;
  for (const TensorRule& rule : architecture.tensors) {
    if (parameters.tied_embeddings && rule.role == TensorRole::kOutput) continue;
    const int64_t count = rule.per_layer() ? parameters.layers : 1;
    for (int64_t layer = 0; layer < count; ++layer)
      expected[TensorName(rule.*naming.name, layer)] = {&rule, rule.per_layer() ? layer : -1};
  }
  return expected;
}

// Tensors that carry nothing: angles that are computed anyway, and the second name of tied embeddings.
bool IsRedundant(const std::string& name, const HyperParameters& parameters) {
  return absl::EndsWith(name, ".rotary_emb.inv_freq") ||
         (parameters.tied_embeddings && name == "lm_head.weight");
}

absl::Status CheckShape(const SourceTensor& tensor, const TensorRule& rule, const HyperParameters& parameters,
                        const TensorNaming& naming) {
  const std::vector<int64_t> expected = rule.shape(parameters);
  if (tensor.shape == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      tensor.path, ": tensor ", tensor.name, " has the shape [", absl::StrJoin(tensor.shape, ", "), "], but ",
      naming.described_by, " implies [", absl::StrJoin(expected, ", "), "]"));
}

}  // namespace

absl::StatusOr<std::vector<ModelTensor>> MatchTensors(const Architecture& architecture,
                                                      const HyperParameters& parameters,
                                                      const TensorNaming& naming,
                                                      std::vector<SourceTensor> sources) {
  // A configuration of millions of layers is refused before a table of them is made.
  if (parameters.layers > static_cast<int64_t>(sources.size())) {
    return absl::InvalidArgumentError(absl::StrCat(naming.described_by, ": ", naming.layers_key, " is ",
                                                   parameters.layers, ", but the checkpoint has only ",
                                                   sources.size(), " tensors"));
  }
  std::map<std::string, ExpectedTensor> expected = ExpectedTensors(architecture, parameters, naming);
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
    RETURN_IF_ERROR(CheckShape(source, *rule, parameters, naming));
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

std::string KnownArchitectures() {
  return absl::StrJoin(AllArchitectures(), ", ", [](std::string* out, const Architecture* architecture) {
    absl::StrAppend(out, std::string(architecture->name));
  });
}

}  // namespace quantd
