#include "workers/models/targets/onnx/genai_tokenizer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

// The classes that onnxruntime-genai 0.18 knows, without "Tokenizer", and reads byte-pair and SentencePiece
// vocabularies with. "Fast" at the end makes no difference to it.
constexpr std::string_view kClasses[] = {
    "Baichuan",  "ChatGLM", "CodeGen", "CodeLlama", "DebertaV2",  "GPT2",  "GPTNeoX", "Gemma",
    "InternLM2", "Llama",   "Marian",  "Phi3",      "PreTrained", "Qwen2", "T5",      "XLMRoberta"};
constexpr std::string_view kUnigramClasses[] = {"T5", "XLMRoberta"};

const Json* Find(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() ? nullptr : &*found;
}

std::string TextOf(const Json& json, const char* key) {
  const Json* value = Find(json, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

// "BPE", "Unigram", …; files of old versions leave it out for BPE.
std::string ModelType(const Json& tokenizer) {
  const Json* model = Find(tokenizer, "model");
  if (model == nullptr) return "";
  return Find(*model, "type") == nullptr ? "BPE" : TextOf(*model, "type");
}

bool IsKnownClass(std::string_view name, bool is_unigram) {
  if (name == "TokenizersBackend") return !is_unigram;
  for (std::string_view ending : {"Fast", "Tokenizer"}) {
    if (name.ends_with(ending)) name.remove_suffix(ending.size());
  }
  if (is_unigram) return std::count(std::begin(kUnigramClasses), std::end(kUnigramClasses), name) > 0;
  return std::count(std::begin(kClasses), std::end(kClasses), name) > 0;
}

void Note(const std::string& what, std::vector<std::string>& notes) {
  notes.push_back(absl::StrCat("tokenizer_config.json: ", what));
}

bool RepairClass(const Json& tokenizer, Json& config, std::vector<std::string>& notes) {
  const bool is_unigram = ModelType(tokenizer) == "Unigram";
  const std::string name = TextOf(config, "tokenizer_class");
  if (IsKnownClass(name, is_unigram)) return false;
  const char* known = is_unigram ? "T5Tokenizer" : "PreTrainedTokenizerFast";
  config["tokenizer_class"] = known;
  Note(absl::StrCat("tokenizer_class was ",
                    name.empty()
                        ? "missing"
                        : absl::StrCat(name, ", with which onnxruntime-genai can't read this vocabulary"),
                    "; it is ", known, " now"),
       notes);
  return true;
}

// A list has templates for several purposes, by name.
std::string DefaultTemplate(const Json& list) {
  if (!list.is_array()) return "";
  for (const Json& entry : list) {
    if (TextOf(entry, "name") == "default") return TextOf(entry, "template");
  }
  return "";
}

bool RepairChatTemplate(Json& config, std::vector<std::string>& notes) {
  const Json* value = Find(config, "chat_template");
  if (value == nullptr || value->is_string()) return false;
  const std::string text = DefaultTemplate(*value);
  const bool was_null = value->is_null();
  config.erase("chat_template");
  if (!text.empty()) config["chat_template"] = text;
  if (!was_null)
    Note("of several chat templates only the default one is kept: onnxruntime-genai reads one", notes);
  return true;
}

// Keys that onnxruntime-genai reads and whose null it refuses; absent they have the meaning of null.
bool DropNulls(Json& config) {
  bool changed = false;
  for (const char* key : {"model_max_length", "clean_up_tokenization_spaces"}) {
    const Json* value = Find(config, key);
    if (value == nullptr || !value->is_null()) continue;
    config.erase(key);
    changed = true;
  }
  return changed;
}

}  // namespace

GenaiVocabulary::GenaiVocabulary(const Json& tokenizer) {
  const Json* model = Find(tokenizer, "model");
  const Json* vocabulary = model == nullptr ? nullptr : Find(*model, "vocab");
  if (vocabulary != nullptr && vocabulary->is_object()) {
    for (const auto& [text, id] : vocabulary->items()) Add(text, id);
  } else if (vocabulary != nullptr && vocabulary->is_array()) {  // Unigram: pairs of text and score
    int64_t id = 0;
    for (const Json& piece : *vocabulary) Add(piece.is_array() && !piece.empty() ? piece[0] : Json(), id++);
  }
  const Json* added = Find(tokenizer, "added_tokens");
  if (added == nullptr || !added->is_array()) return;
  for (const Json& token : *added) {
    const Json* id = Find(token, "id");
    if (id != nullptr) Add(TextOf(token, "content"), *id);
  }
}

void GenaiVocabulary::Add(const Json& text, const Json& id) {
  if (!id.is_number_integer()) return;
  largest_id_ = std::max(largest_id_, id.get<int64_t>());
  if (text.is_string()) ids_[text.get<std::string>()] = id.get<int64_t>();
}

std::optional<int64_t> GenaiVocabulary::IdOf(std::string_view text) const {
  const auto found = ids_.find(text);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<int64_t> GenaiVocabulary::IdOf(const Json& tokenizer_config, const char* purpose) const {
  const Json* token = Find(tokenizer_config, purpose);
  if (token == nullptr) return std::nullopt;
  return IdOf(token->is_string() ? token->get<std::string>() : TextOf(*token, "content"));
}

absl::Status CheckGenaiTokenizer(const Json& tokenizer) {
  const std::string type = ModelType(tokenizer);
  if (type == "BPE" || type == "Unigram") return absl::OkStatus();
  return PreconditionFailed(
      "tokenizer.json", absl::StrCat("onnxruntime-genai reads BPE and Unigram models, not \"", type, "\""));
}

bool RepairTokenizerConfig(const Json& tokenizer, Json& tokenizer_config, std::vector<std::string>& notes) {
  const bool has_new_class = RepairClass(tokenizer, tokenizer_config, notes);
  const bool has_new_template = RepairChatTemplate(tokenizer_config, notes);
  const bool has_fewer_nulls = DropNulls(tokenizer_config);
  return has_new_class || has_new_template || has_fewer_nulls;
}

}  // namespace quantd
