// A decoder model as its ONNX graph needs it: numbers and recipe, no weights.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/models/hyper_parameters.h"
#include "workers/models/model.h"
#include "workers/models/targets/onnx/recipe.h"
#include "workers/models/targets/target.h"

namespace quantd {

struct OnnxDecoder {
  std::string model_type;      // genai_config's model.type: "llama", "phi3"
  HyperParameters parameters;  // with rotary scaling, also of a GGUF file
  // A token sees this many tokens, itself among them; unset: all.
  std::optional<int64_t> attention_window;
  OnnxRecipe recipe;

  int64_t head_size() const { return parameters.head_size(); }
  // Dimensions of a head that are rotated.
  int64_t rotary_size() const;
  // The context that the model was trained with before its rotary angles were stretched.
  int64_t original_context() const { return parameters.original_context.value_or(parameters.context); }
  bool has_long_rope() const;
  // LongRoPE with one pair of caches for contexts up to the trained one and one for longer contexts.
  bool has_two_rotary_ranges() const;
};

// One matrix of the graph: `outputs` rows of `inputs` weights, as Hugging Face stores them. Stored in floats
// it is transposed, [inputs, outputs].
struct DecoderMatrix {
  OnnxMatrix matrix;
  int64_t layer;     // -1 for lm_head
  std::string path;  // see MatrixPath
  int64_t inputs;
  int64_t outputs;
  std::optional<quant::OnnxNbits> form;  // unset: floats of the recipe's io_type
};

DecoderMatrix MatrixOf(const OnnxDecoder& decoder, OnnxMatrix matrix, int64_t layer);

// All matrices, in the order of the nodes that use them. Tied embeddings read lm_head's.
std::vector<DecoderMatrix> DecoderMatrices(const OnnxDecoder& decoder);

// Refuses what can't be written or would not run: errors of ReadOnnxRecipe, FAILED_PRECONDITION for the
// model. `notes` gets what the user may not expect, a sentence each.
absl::StatusOr<OnnxDecoder> ReadOnnxDecoder(const TargetSpec& spec, const Model& model,
                                            std::vector<std::string>& notes);

}  // namespace quantd
