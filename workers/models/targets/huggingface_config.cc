#include "workers/models/targets/huggingface_config.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "workers/models/gguf_parameters.h"
#include "workers/models/rope_factors.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

const std::vector<float>* FindFactors(const Model& model, std::string_view name) {
  for (const FrequencyFactors& factors : model.frequency_factors) {
    if (factors.name == name) return &factors.values;
  }
  return nullptr;
}

// The type of most weights. Block types decode to halves: their scales are stored as such.
std::string WeightType(const Model& model) {
  std::map<std::string_view, int64_t> weights;
  for (const ModelTensor& tensor : model.tensors)
    weights[tensor.source.codec->name()] += tensor.source.elements();
  const auto most = std::max_element(weights.begin(), weights.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most->first == "F32") return "float32";
  return most->first == "BF16" ? "bfloat16" : "float16";
}

// The settings from which a converter computed rope_freqs.weight. The file holds only the result; every
// published Llama 3 differs in `factor` alone, so the others are tried.
absl::StatusOr<Json> RecoverLlama3Scaling(const HyperParameters& parameters,
                                          const std::vector<float>& factors) {
  RopeScaling scaling;
  scaling.type = "llama3";
  scaling.factor = *std::max_element(factors.begin(), factors.end());
  for (int64_t original = 1024; original <= 131072; original *= 2) {
    const std::vector<double> computed = Llama3RopeFactors(parameters, scaling, original);
    if (!std::equal(computed.begin(), computed.end(), factors.begin(), factors.end(),
                    [](double a, float b) { return static_cast<float>(a) == b; })) {
      continue;
    }
    return Json{{"rope_type", scaling.type},
                {"factor", *scaling.factor},
                {"low_freq_factor", scaling.low_freq_factor},
                {"high_freq_factor", scaling.high_freq_factor},
                {"original_max_position_embeddings", original}};
  }
  return absl::FailedPreconditionError(
      "rope_freqs.weight holds factors that are not Llama 3's: no config.json can say them; write gguf "
      "instead");
}

absl::StatusOr<Json> MakeRopeScaling(const Model& model) {
  if (const std::vector<float>* factors = FindFactors(model, "rope_freqs.weight"))
    return RecoverLlama3Scaling(model.parameters, *factors);
  const std::vector<float>* longer = FindFactors(model, "rope_factors_long.weight");
  const std::vector<float>* shorter = FindFactors(model, "rope_factors_short.weight");
  if (longer != nullptr && shorter != nullptr)
    return Json{{"type", "longrope"}, {"long_factor", *longer}, {"short_factor", *shorter}};
  const std::optional<RopeScaling>& scaling = model.parameters.rope_scaling;
  if (!scaling.has_value()) return Json();
  if (scaling->type != "linear" || !scaling->factor.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat("rope.scaling.type \"", scaling->type,
                                                      "\" can't be written in config.json; known is linear"));
  }
  return Json{{"type", "linear"}, {"factor", *scaling->factor}};
}

absl::Status AddTokenIds(const Model& model, Json& config) {
  for (const auto& [key, name] :
       {std::pair("bos", "bos_token_id"), {"eos", "eos_token_id"}, {"padding", "pad_token_id"}}) {
    ASSIGN_OR_RETURN(std::optional<int64_t> id,
                     GgufInteger(*model.gguf_metadata, absl::StrCat("tokenizer.ggml.", key, "_token_id")));
    if (id.has_value()) config[name] = *id;
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> FromGguf(const Model& model) {
  const HyperParameters& p = model.parameters;
  Json config = {{"architectures", {model.architecture->name}},
                 {"model_type", model.architecture->model_type},
                 {"hidden_size", p.hidden},
                 {"intermediate_size", p.feed_forward},
                 {"num_hidden_layers", p.layers},
                 {"num_attention_heads", p.heads},
                 {"num_key_value_heads", p.key_value_heads},
                 {"vocab_size", p.vocabulary},
                 {"max_position_embeddings", p.context},
                 {"rms_norm_eps", p.norm_epsilon},
                 {"rope_theta", p.rope_base.value_or(10000.0)},
                 {"tie_word_embeddings", p.tied_embeddings},
                 {"attention_bias", false},
                 {"hidden_act", "silu"},
                 {"torch_dtype", WeightType(model)}};
  if (p.explicit_head_size.has_value()) config["head_dim"] = *p.explicit_head_size;
  if (p.partial_rotary < 1.0) config["partial_rotary_factor"] = p.partial_rotary;
  if (p.original_context.has_value()) config["original_max_position_embeddings"] = *p.original_context;
  if (p.sliding_window.has_value()) config["sliding_window"] = *p.sliding_window;
  ASSIGN_OR_RETURN(config["rope_scaling"], MakeRopeScaling(model));
  RETURN_IF_ERROR(AddTokenIds(model, config));
  return config;
}

}  // namespace

absl::StatusOr<Json> HuggingFaceConfig(const Model& model) {
  if (!model.from_gguf()) return model.config;
  return FromGguf(model);
}

}  // namespace quantd
