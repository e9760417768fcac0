#include "workers/models/gguf_model.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/formats/gguf_reader.h"
#include "workers/models/gguf_parameters.h"
#include "workers/models/match_tensors.h"
#include "workers/quant/device.h"

namespace quantd {
namespace {

constexpr std::string_view kFactorTensors[] = {"rope_freqs.weight", "rope_factors_long.weight",
                                               "rope_factors_short.weight"};

absl::StatusOr<const Architecture*> ReadArchitecture(const GgufMetadata& metadata) {
  const GgufValue* value = FindGgufValue(metadata, "general.architecture");
  const std::string* name = value == nullptr ? nullptr : std::get_if<std::string>(value);
  if (name == nullptr) return absl::InvalidArgumentError("the metadata: general.architecture is missing");
  for (const Architecture* architecture : AllArchitectures()) {
    if (architecture->gguf_name == *name) return architecture;
  }
  return absl::FailedPreconditionError(absl::StrCat("the metadata: general.architecture \"", *name,
                                                    "\" is not supported; known are ", KnownArchitectures()));
}

absl::StatusOr<FrequencyFactors> ReadFactors(const SourceTensor& tensor, const HyperParameters& parameters) {
  const double rotated = parameters.partial_rotary * static_cast<double>(parameters.head_size());
  const int64_t pairs = std::llround(rotated) / 2;
  if (tensor.shape.size() != 1 || tensor.columns() != pairs) {
    return absl::InvalidArgumentError(
        absl::StrCat(tensor.path, ": tensor ", tensor.name, " is no list of ", pairs, " factors"));
  }
  std::vector<std::byte> bytes(tensor.bytes);
  RETURN_IF_ERROR(tensor.file->ReadAt(tensor.offset, bytes));
  FrequencyFactors factors{tensor.name, std::vector<float>(static_cast<size_t>(pairs))};
  const std::byte* plane = bytes.data();
  tensor.codec->Decode({&plane, 1}, 1, pairs, factors.values.data());
  if (std::optional<int64_t> bad =
          quant::FirstNonFinite({quant::WeightType::kF32, factors.values.data(), 1, pairs})) {
    return absl::InvalidArgumentError(absl::StrCat(tensor.path, ": tensor ", tensor.name,
                                                   " has a weight that is not finite at index ", *bad));
  }
  return factors;
}

// Takes the tensors that hold no weights out of `sources`.
absl::StatusOr<std::vector<FrequencyFactors>> TakeFactors(const HyperParameters& parameters,
                                                          std::vector<SourceTensor>& sources) {
  std::vector<FrequencyFactors> all;
  for (std::string_view name : kFactorTensors) {
    auto found = std::find_if(sources.begin(), sources.end(),
                              [&](const SourceTensor& tensor) { return tensor.name == name; });
    if (found == sources.end()) continue;
    ASSIGN_OR_RETURN(FrequencyFactors factors, ReadFactors(*found, parameters));
    all.push_back(std::move(factors));
    sources.erase(found);
  }
  return all;
}

}  // namespace

absl::StatusOr<Model> OpenGgufModel(const CheckpointFiles& files) {
  ASSIGN_OR_RETURN(GgufFile file, ReadGgufCheckpoint(files));
  Model model;
  ASSIGN_OR_RETURN(model.architecture, ReadArchitecture(file.metadata));
  ASSIGN_OR_RETURN(model.parameters, ReadGgufParameters(file.metadata, *model.architecture, file.tensors));
  ASSIGN_OR_RETURN(model.frequency_factors, TakeFactors(model.parameters, file.tensors));
  ASSIGN_OR_RETURN(model.tensors,
                   MatchTensors(*model.architecture, model.parameters,
                                {&TensorRule::gguf, "the metadata", "block_count"}, std::move(file.tensors)));
  model.gguf_metadata = std::move(file.metadata);
  return model;
}

}  // namespace quantd
