// Holds a checkpoint's tensors against its architecture's table.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/models/model.h"

namespace quantd {

// Which of a rule's names the source uses, and for messages where its numbers come from.
struct TensorNaming {
  std::string_view TensorRule::*name;
  std::string described_by;  // "config.json", "the metadata"
  std::string layers_key;    // "num_hidden_layers", "block_count"
};

// One for each source tensor, in their order. INVALID_ARGUMENT names a tensor that the architecture lacks or
// has too many, or that has another shape than the numbers imply.
absl::StatusOr<std::vector<ModelTensor>> MatchTensors(const Architecture& architecture,
                                                      const HyperParameters& parameters,
                                                      const TensorNaming& naming,
                                                      std::vector<SourceTensor> sources);

// "LlamaForCausalLM, Phi3ForCausalLM", for error messages.
std::string KnownArchitectures();

}  // namespace quantd
