// A decoder model as its OpenVINO graph needs it: numbers, and the form of every matrix; no weights.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/models/hyper_parameters.h"
#include "workers/models/model.h"
#include "workers/models/targets/openvino/recipe.h"
#include "workers/models/targets/openvino/weight_form.h"
#include "workers/models/targets/target.h"

namespace quantd {

struct OpenVinoDecoder {
  HyperParameters parameters;  // with rotary scaling, also of a GGUF file
  // One projection for query, key and value, and one for gate and up.
  bool has_fused_projections = false;
  // A token sees this many tokens, itself among them; unset: all.
  std::optional<int64_t> attention_window;
  // lm_head multiplies by the embedding's weight.
  bool output_is_embedding = false;
  // In what the runtime shall keep keys and values: "f16"; empty for its own choice.
  std::string cache_precision;
  std::map<std::string, WeightMatrix> matrices;  // by name
};

inline constexpr char kEmbeddingName[] = "model.embed_tokens.weight";
inline constexpr char kOutputName[] = "lm_head.weight";

// Chooses the form of every matrix; for a ratio below 1, and to see whether lm_head equals the embedding, it
// reads weights. FAILED_PRECONDITION for a model without a graph, errors of reading, CANCELLED. `notes` gets
// what the user may not expect, a sentence each.
absl::StatusOr<OpenVinoDecoder> ReadOpenVinoDecoder(const OpenVinoRecipe& recipe, const Model& model,
                                                    const PlanOptions& options,
                                                    std::vector<std::string>& notes);

}  // namespace quantd
