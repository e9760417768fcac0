#include "workers/models/targets/onnx/genai_config.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <utility>

#include "base/status.h"
#include "workers/models/targets/onnx/genai_tokenizer.h"

namespace quantd {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr int64_t kUsualBeginOfText = 1;

const Json* Find(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

// Tokens that a chat model marks tool calls and thoughts with: begin and end of each.
struct Mark {
  const char* key;
  std::initializer_list<const char*> texts;
};
constexpr Mark kMarks[] = {{"bot_token_id", {"<tool_call>", "<|tool_call|>"}},
                           {"eot_token_id", {"</tool_call>", "<|/tool_call|>"}},
                           {"bor_token_id", {"<think>"}},
                           {"eor_token_id", {"</think>"}}};

class GenaiConfig {
 public:
  GenaiConfig(const GenaiSources& sources, const OnnxDecoder& decoder)
      : sources_(sources), decoder_(decoder), vocabulary_(sources.tokenizer) {}

  absl::StatusOr<std::string> Make() const {
    const std::vector<int64_t> ends = EndsOfText();
    if (ends.empty())
      return PreconditionFailed("the model",
                                "neither configuration nor tokenizer name a token that ends a text");
    const HyperParameters& p = decoder_.parameters;
    OrderedJson model;
    model["bos_token_id"] = IdOf("bos_token_id", "bos_token").value_or(kUsualBeginOfText);
    model["context_length"] = p.context;
    model["decoder"] = Decoder();
    model["eos_token_id"] = WithTurnEnd(ends);
    model["pad_token_id"] = IdOf("pad_token_id", "pad_token").value_or(ends[0]);
    model["type"] = decoder_.model_type;
    model["vocab_size"] = p.vocabulary;
    AddMarks(model);
    OrderedJson config;
    config["model"] = std::move(model);
    config["search"] = Search();
    return config.dump(4);
  }

 private:
  // generation_config.json's value, else config.json's.
  const Json* Configured(const char* key) const {
    const Json* value = Find(sources_.generation, key);
    return value != nullptr ? value : Find(sources_.config, key);
  }

  std::optional<int64_t> IdOf(const char* key, const char* purpose) const {
    const Json* id = Configured(key);
    if (id != nullptr && id->is_number_integer()) return id->get<int64_t>();
    return vocabulary_.IdOf(sources_.tokenizer_config, purpose);
  }

  std::vector<int64_t> EndsOfText() const {
    std::vector<int64_t> ends;
    const Json* configured = Configured("eos_token_id");
    if (configured != nullptr) {
      for (const Json& id : configured->is_array() ? *configured : Json::array({*configured})) {
        if (id.is_number_integer()) ends.push_back(id.get<int64_t>());
      }
    }
    if (!ends.empty()) return ends;
    if (const auto end = vocabulary_.IdOf(sources_.tokenizer_config, "eos_token")) ends.push_back(*end);
    return ends;
  }

  // Chats end each turn with the tokenizer's end token, which configurations often leave out. One id is
  // written as a number, as long as the sources do so.
  OrderedJson WithTurnEnd(const std::vector<int64_t>& ends) const {
    const Json* configured = Configured("eos_token_id");
    const auto turn_end = vocabulary_.IdOf(sources_.tokenizer_config, "eos_token");
    const bool is_known = !turn_end.has_value() || std::count(ends.begin(), ends.end(), *turn_end) > 0;
    if (is_known && ends.size() == 1 && (configured == nullptr || !configured->is_array())) return ends[0];
    OrderedJson all = ends;
    if (!is_known) all.insert(all.begin(), *turn_end);
    return all;
  }

  OrderedJson Decoder() const {
    const HyperParameters& p = decoder_.parameters;
    OrderedJson decoder;
    decoder["session_options"] = {{"log_id", "onnxruntime-genai"}, {"provider_options", ProviderOptions()}};
    decoder["filename"] = "model.onnx";
    decoder["head_size"] = p.head_size();
    decoder["hidden_size"] = p.hidden;
    decoder["inputs"] = {{"input_ids", "input_ids"}, {"attention_mask", "attention_mask"}};
    if (!decoder_.recipe.rotates_in_attention()) decoder["inputs"]["position_ids"] = "position_ids";
    decoder["inputs"]["past_key_names"] = "past_key_values.%d.key";
    decoder["inputs"]["past_value_names"] = "past_key_values.%d.value";
    decoder["outputs"] = {{"logits", "logits"},
                          {"present_key_names", "present.%d.key"},
                          {"present_value_names", "present.%d.value"}};
    decoder["num_attention_heads"] = p.heads;
    decoder["num_hidden_layers"] = p.layers;
    decoder["num_key_value_heads"] = p.key_value_heads;
    // Where it says something, onnxruntime-genai keeps so few positions that onnxruntime's attention refuses
    // the first token beyond them; attention keeps to its window itself, in a cache of all positions.
    if (p.sliding_window.value_or(0) >= p.context && decoder_.recipe.provider != OnnxProvider::kDml)
      decoder["sliding_window"] = IdleSlidingWindow();
    return decoder;
  }

  OrderedJson ProviderOptions() const {
    OrderedJson options = OrderedJson::array();
    if (decoder_.recipe.provider == OnnxProvider::kCuda)
      options.push_back({{"cuda", {{"enable_cuda_graph", "0"}}}});
    if (decoder_.recipe.provider == OnnxProvider::kDml)
      options.push_back({{"dml", {{"enable_graph_capture", "1"}}}});
    return options;
  }

  OrderedJson IdleSlidingWindow() const {
    return {{"window_size", *decoder_.parameters.sliding_window},
            {"slide_key_value_cache", false},
            {"slide_inputs", false},
            {"layers", OrderedJson::array()},
            {"cache_slack", 0}};
  }

  void AddMarks(OrderedJson& model) const {
    for (const Mark& mark : kMarks) {
      for (const char* text : mark.texts) {
        const std::optional<int64_t> id = vocabulary_.IdOf(text);
        if (!id.has_value()) continue;
        model[mark.key] = *id;
        break;
      }
    }
  }

  OrderedJson Search() const {
    OrderedJson search;
    search["diversity_penalty"] = InConfig("diversity_penalty", 0.0);
    search["do_sample"] = Setting("do_sample", false);
    search["early_stopping"] = true;
    search["length_penalty"] = InConfig("length_penalty", 1.0);
    search["max_length"] = decoder_.recipe.max_length.value_or(decoder_.parameters.context);
    search["min_length"] = 0;
    search["no_repeat_ngram_size"] = InConfig("no_repeat_ngram_size", 0);
    search["num_beams"] = InConfig("num_beams", 1);
    search["num_return_sequences"] = InConfig("num_return_sequences", 1);
    search["past_present_share_buffer"] = true;
    search["repetition_penalty"] = InConfig("repetition_penalty", 1.0);
    search["temperature"] = Setting("temperature", 1.0);
    search["top_k"] = Setting("top_k", 50);
    search["top_p"] = Setting("top_p", 1.0);
    return search;
  }

  // A value of the same kind as `usual`, or that.
  static Json Like(const Json& usual, const Json* value) {
    const bool fits = value != nullptr && (usual.is_boolean() ? value->is_boolean() : value->is_number());
    return fits ? *value : usual;
  }

  Json InConfig(const char* key, const Json& usual) const { return Like(usual, Find(sources_.config, key)); }

  Json Setting(const char* key, const Json& usual) const {
    const Json generation = Like(usual, Find(sources_.generation, key));
    return generation != usual ? generation : InConfig(key, usual);
  }

  const GenaiSources& sources_;
  const OnnxDecoder& decoder_;
  const GenaiVocabulary vocabulary_;
};

}  // namespace

absl::StatusOr<std::string> MakeGenaiConfig(const GenaiSources& sources, const OnnxDecoder& decoder) {
  return GenaiConfig(sources, decoder).Make();
}

}  // namespace quantd
