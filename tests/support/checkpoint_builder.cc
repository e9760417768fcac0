#include "tests/support/checkpoint_builder.h"

#include <cstring>
#include <functional>
#include <random>

#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

Json Config(const SmallModel& model) {
  return {{"hidden_size", model.hidden},
          {"intermediate_size", model.feed_forward},
          {"num_hidden_layers", model.layers},
          {"num_attention_heads", model.heads},
          {"num_key_value_heads", model.key_value_heads},
          {"vocab_size", model.vocabulary},
          {"max_position_embeddings", 128},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 10000.0},
          {"tie_word_embeddings", model.tied},
          {"bos_token_id", 0},
          {"eos_token_id", 1},
          {"torch_dtype", model.dtype == "BF16"  ? "bfloat16"
                          : model.dtype == "F16" ? "float16"
                                                 : "float32"}};
}

// A byte-level BPE of single characters; the last two ids are left for the converter to pad.
std::string Tokenizer(int vocabulary) {
  Json vocab = {{"<s>", 0}, {"</s>", 1}, {"ab", 2}};
  for (int id = 3; id < vocabulary - 2; ++id) vocab[std::string(1, static_cast<char>('A' + id - 3))] = id;
  Json tokenizer = {
      {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b"}}}},
      {"added_tokens",
       {{{"id", 0}, {"content", "<s>"}, {"special", true}, {"normalized", false}},
        {{"id", 1}, {"content", "</s>"}, {"special", true}, {"normalized", false}}}},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
  };
  return tokenizer.dump();
}

std::map<std::string, std::string> Folder(const Json& config, const SafetensorsBuilder& weights,
                                          int vocabulary) {
  const Json tokenizer_config = {
      {"tokenizer_class", "GPT2Tokenizer"}, {"bos_token", "<s>"}, {"eos_token", "</s>"}};
  return {{"config.json", config.dump()},
          {"model.safetensors", weights.Build()},
          {"tokenizer.json", Tokenizer(vocabulary)},
          {"tokenizer_config.json", tokenizer_config.dump()}};
}

}  // namespace

std::string SafetensorsBytes(const Json& header, const std::string& data) {
  std::string json = header.dump();
  const uint64_t length = json.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + json + data;
}

SafetensorsBuilder& SafetensorsBuilder::Add(const std::string& name, const std::string& dtype,
                                            const std::vector<int64_t>& shape) {
  int64_t elements = 1;
  for (int64_t dimension : shape) elements *= dimension;
  std::minstd_rand random(static_cast<uint32_t>(std::hash<std::string>{}(name)));
  std::vector<float> weights(static_cast<size_t>(elements));
  for (float& weight : weights)
    weight = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 8192.0f;
  const quant::Codec* codec = quant::FindCodec(dtype);
  std::string bytes(static_cast<size_t>(codec->RowBytes(0, elements)), '\0');
  std::byte* plane = reinterpret_cast<std::byte*>(bytes.data());
  codec->Encode({quant::WeightType::kF32, weights.data(), 1, elements}, nullptr, {&plane, 1});
  header_[name] = {
      {"dtype", dtype}, {"shape", shape}, {"data_offsets", {data_.size(), data_.size() + bytes.size()}}};
  data_ += bytes;
  return *this;
}

std::map<std::string, std::string> SmallLlama(const SmallModel& model) {
  const int64_t hidden = model.hidden, wide = model.feed_forward;
  const int64_t key_value = hidden / model.heads * model.key_value_heads;
  SafetensorsBuilder weights;
  weights.Add("model.embed_tokens.weight", model.dtype, {model.vocabulary, hidden});
  for (int layer = 0; layer < model.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    weights.Add(prefix + "input_layernorm.weight", model.dtype, {hidden})
        .Add(prefix + "self_attn.q_proj.weight", model.dtype, {hidden, hidden})
        .Add(prefix + "self_attn.k_proj.weight", model.dtype, {key_value, hidden})
        .Add(prefix + "self_attn.v_proj.weight", model.dtype, {key_value, hidden})
        .Add(prefix + "self_attn.o_proj.weight", model.dtype, {hidden, hidden})
        .Add(prefix + "post_attention_layernorm.weight", model.dtype, {hidden})
        .Add(prefix + "mlp.gate_proj.weight", model.dtype, {wide, hidden})
        .Add(prefix + "mlp.up_proj.weight", model.dtype, {wide, hidden})
        .Add(prefix + "mlp.down_proj.weight", model.dtype, {hidden, wide});
  }
  weights.Add("model.norm.weight", model.dtype, {hidden});
  if (!model.tied) weights.Add("lm_head.weight", model.dtype, {model.vocabulary, hidden});
  Json config = Config(model);
  config["architectures"] = {"LlamaForCausalLM"};
  config["model_type"] = "llama";
  return Folder(config, weights, model.vocabulary);
}

std::map<std::string, std::string> SmallPhi3(const SmallModel& model) {
  const int64_t hidden = model.hidden, wide = model.feed_forward;
  const int64_t fused = hidden + 2 * (hidden / model.heads * model.key_value_heads);
  SafetensorsBuilder weights;
  weights.Add("model.embed_tokens.weight", model.dtype, {model.vocabulary, hidden});
  for (int layer = 0; layer < model.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    weights.Add(prefix + "input_layernorm.weight", model.dtype, {hidden})
        .Add(prefix + "mlp.down_proj.weight", model.dtype, {hidden, wide})
        .Add(prefix + "mlp.gate_up_proj.weight", model.dtype, {2 * wide, hidden})
        .Add(prefix + "post_attention_layernorm.weight", model.dtype, {hidden})
        .Add(prefix + "self_attn.o_proj.weight", model.dtype, {hidden, hidden})
        .Add(prefix + "self_attn.qkv_proj.weight", model.dtype, {fused, hidden});
  }
  weights.Add("model.norm.weight", model.dtype, {hidden});
  if (!model.tied) weights.Add("lm_head.weight", model.dtype, {model.vocabulary, hidden});
  Json config = Config(model);
  config["architectures"] = {"Phi3ForCausalLM"};
  config["model_type"] = "phi3";
  config["original_max_position_embeddings"] = 64;
  config["sliding_window"] = nullptr;
  return Folder(config, weights, model.vocabulary);
}

CheckpointFiles OpenCheckpoint(const std::map<std::string, std::string>& files) {
  CheckpointFiles checkpoint;
  for (const auto& [path, bytes] : files) checkpoint.Add(path, MakeMemoryFile(bytes));
  return checkpoint;
}

}  // namespace quantd
