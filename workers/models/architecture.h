// What a family of models calls its tensors, as tables. Adding a family is one file and one line in
// architecture_list.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "workers/models/hyper_parameters.h"

namespace quantd {

enum class TensorRole {
  kTokenEmbedding,
  kOutputNorm,
  kOutput,
  kAttentionNorm,
  kAttentionQuery,
  kAttentionKey,
  kAttentionValue,
  kAttentionQueryKeyValue,  // fused, in this order
  kAttentionOutput,
  kFeedForwardNorm,
  kFeedForwardGate,
  kFeedForwardUp,
  kFeedForwardGateUp,  // fused, in this order
  kFeedForwardDown,
};

// One tensor of the model, or one of each layer.
struct TensorRule {
  TensorRole role;
  // '#' stands for the number of the layer; rules without it are for the whole model.
  std::string_view huggingface;
  std::string_view gguf;
  // Expected dimensions, outermost first.
  std::vector<int64_t> (*shape)(const HyperParameters&);

  bool per_layer() const { return huggingface.find('#') != std::string_view::npos; }
};

struct Architecture {
  std::string_view name;        // config.json's architectures[0]
  std::string_view model_type;  // config.json's model_type
  std::string_view gguf_name;   // general.architecture
  std::span<const TensorRule> tensors;
  // GGUF keeps the rows of query and key in another order than Hugging Face: see RowOrder.
  bool gguf_reorders_query_and_key;
  // What the family can't be without, beyond ReadHyperParameters.
  absl::Status (*check)(const HyperParameters&);
};

// The rule's name with the layer's number in place of '#'.
std::string TensorName(std::string_view pattern, int64_t layer);

// Every known family.
std::span<const Architecture* const> AllArchitectures();

// By config.json's name; null when it is unknown.
const Architecture* FindArchitecture(std::string_view name);

}  // namespace quantd
