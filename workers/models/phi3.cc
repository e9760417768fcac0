// Phi3ForCausalLM: Phi-3, Phi-3.5 and Phi-4 (mini): fused projections, partial rotary embeddings, sliding
// window, LongRoPE.
#include "absl/strings/str_cat.h"
#include "workers/models/families.h"

namespace quantd {
namespace {

using Shape = std::vector<int64_t>;

Shape Vocabulary(const HyperParameters& p) { return {p.vocabulary, p.hidden}; }
Shape Norm(const HyperParameters& p) { return {p.hidden}; }
Shape QueryKeyValue(const HyperParameters& p) {
  return {(p.heads + 2 * p.key_value_heads) * p.head_size(), p.hidden};
}
Shape AttentionOutput(const HyperParameters& p) { return {p.hidden, p.heads * p.head_size()}; }
Shape GateUp(const HyperParameters& p) { return {2 * p.feed_forward, p.hidden}; }
Shape Down(const HyperParameters& p) { return {p.hidden, p.feed_forward}; }

constexpr TensorRule kTensors[] = {
    {TensorRole::kTokenEmbedding, "model.embed_tokens.weight", "token_embd.weight", Vocabulary},
    {TensorRole::kAttentionNorm, "model.layers.#.input_layernorm.weight", "blk.#.attn_norm.weight", Norm},
    {TensorRole::kAttentionQueryKeyValue, "model.layers.#.self_attn.qkv_proj.weight", "blk.#.attn_qkv.weight",
     QueryKeyValue},
    {TensorRole::kAttentionOutput, "model.layers.#.self_attn.o_proj.weight", "blk.#.attn_output.weight",
     AttentionOutput},
    {TensorRole::kFeedForwardNorm, "model.layers.#.post_attention_layernorm.weight", "blk.#.ffn_norm.weight",
     Norm},
    {TensorRole::kFeedForwardGateUp, "model.layers.#.mlp.gate_up_proj.weight", "blk.#.ffn_up.weight", GateUp},
    {TensorRole::kFeedForwardDown, "model.layers.#.mlp.down_proj.weight", "blk.#.ffn_down.weight", Down},
    {TensorRole::kOutputNorm, "model.norm.weight", "output_norm.weight", Norm},
    {TensorRole::kOutput, "lm_head.weight", "output.weight", Vocabulary},
};

absl::Status CheckLongRope(const HyperParameters& p, const RopeScaling& scaling) {
  // The attention factor divides by the logarithm of this.
  if (*p.original_context < 2)
    return absl::InvalidArgumentError(
        "config.json: original_max_position_embeddings is too small for LongRoPE");
  const size_t pairs = static_cast<size_t>(p.rotary_size() / 2);
  if (scaling.long_factors.size() != pairs || scaling.short_factors.size() != pairs) {
    return absl::InvalidArgumentError(
        absl::StrCat("config.json: rope_scaling has ", scaling.long_factors.size(), " long and ",
                     scaling.short_factors.size(), " short factors; the heads need ", pairs, " of each"));
  }
  return absl::OkStatus();
}

absl::Status Check(const HyperParameters& p) {
  if (p.attention_bias)
    return absl::FailedPreconditionError("config.json: attention_bias is not supported for Phi3ForCausalLM");
  if (!p.original_context.has_value()) {
    return absl::InvalidArgumentError("config.json: original_max_position_embeddings is missing");
  }
  if (!p.rope_base.has_value()) return absl::InvalidArgumentError("config.json: rope_theta is missing");
  if (!p.rope_scaling.has_value()) return absl::OkStatus();
  if (p.rope_scaling->type != "longrope" && p.rope_scaling->type != "su") {
    return absl::FailedPreconditionError(
        absl::StrCat("config.json: rope_scaling.type \"", p.rope_scaling->type,
                     "\" is not supported for Phi3ForCausalLM; known is longrope"));
  }
  return CheckLongRope(p, *p.rope_scaling);
}

constexpr Architecture kPhi3 = {
    .name = "Phi3ForCausalLM",
    .model_type = "phi3",
    .gguf_name = "phi3",
    .tensors = kTensors,
    .gguf_reorders_query_and_key = false,
    .check = Check,
};

}  // namespace

const Architecture& Phi3Architecture() { return kPhi3; }

}  // namespace quantd
