// LlamaForCausalLM: Llama 1 to 3, SmolLM and the many models with the same graph.
#include "workers/models/families.h"

namespace quantd {
namespace {

using Shape = std::vector<int64_t>;

Shape Vocabulary(const HyperParameters& p) { return {p.vocabulary, p.hidden}; }
Shape Norm(const HyperParameters& p) { return {p.hidden}; }
Shape Query(const HyperParameters& p) { return {p.heads * p.head_size(), p.hidden}; }
Shape KeyOrValue(const HyperParameters& p) { return {p.key_value_heads * p.head_size(), p.hidden}; }
Shape AttentionOutput(const HyperParameters& p) { return {p.hidden, p.heads * p.head_size()}; }
Shape GateOrUp(const HyperParameters& p) { return {p.feed_forward, p.hidden}; }
Shape Down(const HyperParameters& p) { return {p.hidden, p.feed_forward}; }

constexpr TensorRule kTensors[] = {
    {TensorRole::kTokenEmbedding, "model.embed_tokens.weight", "token_embd.weight", Vocabulary},
    {TensorRole::kAttentionNorm, "model.layers.#.input_layernorm.weight", "blk.#.attn_norm.weight", Norm},
    {TensorRole::kAttentionQuery, "model.layers.#.self_attn.q_proj.weight", "blk.#.attn_q.weight", Query},
    {TensorRole::kAttentionKey, "model.layers.#.self_attn.k_proj.weight", "blk.#.attn_k.weight", KeyOrValue},
    {TensorRole::kAttentionValue, "model.layers.#.self_attn.v_proj.weight", "blk.#.attn_v.weight",
     KeyOrValue},
    {TensorRole::kAttentionOutput, "model.layers.#.self_attn.o_proj.weight", "blk.#.attn_output.weight",
     AttentionOutput},
    {TensorRole::kFeedForwardNorm, "model.layers.#.post_attention_layernorm.weight", "blk.#.ffn_norm.weight",
     Norm},
    {TensorRole::kFeedForwardGate, "model.layers.#.mlp.gate_proj.weight", "blk.#.ffn_gate.weight", GateOrUp},
    {TensorRole::kFeedForwardUp, "model.layers.#.mlp.up_proj.weight", "blk.#.ffn_up.weight", GateOrUp},
    {TensorRole::kFeedForwardDown, "model.layers.#.mlp.down_proj.weight", "blk.#.ffn_down.weight", Down},
    {TensorRole::kOutputNorm, "model.norm.weight", "output_norm.weight", Norm},
    {TensorRole::kOutput, "lm_head.weight", "output.weight", Vocabulary},
};

absl::Status Check(const HyperParameters& p) {
  if (p.attention_bias)
    return absl::FailedPreconditionError("config.json: attention_bias is not supported for LlamaForCausalLM");
  if (p.rope_scaling.has_value() && p.rope_scaling->type != "llama3" && p.rope_scaling->type != "linear") {
    return absl::FailedPreconditionError(
        "config.json: rope_scaling.type \"" + p.rope_scaling->type +
        "\" is not supported for LlamaForCausalLM; known are llama3 and linear");
  }
  return absl::OkStatus();
}

constexpr Architecture kLlama = {
    .name = "LlamaForCausalLM",
    .model_type = "llama",
    .gguf_name = "llama",
    .tensors = kTensors,
    .gguf_reorders_query_and_key = true,
    .check = Check,
};

}  // namespace

const Architecture& LlamaArchitecture() { return kLlama; }

}  // namespace quantd
