#include "workers/models/targets/tokenizer_files.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "workers/models/gguf_parameters.h"
#include "workers/models/pre_tokenizer.h"
#include "workers/models/targets/sentencepiece_merges.h"
#include "workers/models/tokenizer.h"

namespace quantd {
namespace {

constexpr char kSpaceSymbol[] = "\xe2\x96\x81";

class TokenizerBuilder {
 public:
  explicit TokenizerBuilder(const GgufMetadata& metadata) : metadata_(metadata) {}

  absl::StatusOr<std::vector<SidecarFile>> Build() {
    RETURN_IF_ERROR(ReadVocabulary());
    const std::string kind = Text("tokenizer.ggml.model");
    Json tokenizer = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
    if (kind == "gpt2") {
      RETURN_IF_ERROR(AddBytePairEncoding(tokenizer));
    } else if (kind == "llama") {
      AddSentencePiece(tokenizer);
    } else {
      return absl::FailedPreconditionError(
          absl::StrCat("the metadata: tokenizer.ggml.model \"", kind,
                       "\" can't be written as tokenizer.json; known are gpt2 and llama"));
    }
    tokenizer["added_tokens"] = AddedTokens();
    std::vector<SidecarFile> files;
    for (const auto& [path, json] : {std::pair("tokenizer.json", std::move(tokenizer)),
                                     {"tokenizer_config.json", Config()},
                                     {"generation_config.json", GenerationConfig()}}) {
      ASSIGN_OR_RETURN(std::string text, WriteJson(json, 2, path));
      files.push_back({path, std::move(text)});
    }
    return files;
  }

 private:
  template <typename T>
  const T* Find(std::string_view key) const {
    const GgufValue* value = FindGgufValue(metadata_, key);
    return value == nullptr ? nullptr : std::get_if<T>(value);
  }

  std::string Text(std::string_view key) const {
    const std::string* text = Find<std::string>(key);
    return text == nullptr ? "" : *text;
  }

  absl::Status ReadVocabulary() {
    tokens_ = Find<std::vector<std::string>>("tokenizer.ggml.tokens");
    if (tokens_ == nullptr) {
      return absl::FailedPreconditionError(
          "the metadata has no tokenizer.ggml.tokens: tokenizer.json can't be written without a vocabulary");
    }
    if (const auto* types = Find<std::vector<int32_t>>("tokenizer.ggml.token_type")) types_ = *types;
    if (const auto* scores = Find<std::vector<float>>("tokenizer.ggml.scores")) scores_ = *scores;
    if (types_.empty()) types_.assign(tokens_->size(), static_cast<int32_t>(TokenType::kNormal));
    if (scores_.empty()) scores_.assign(tokens_->size(), 0.0f);
    if (types_.size() != tokens_->size() || scores_.size() != tokens_->size()) {
      return absl::InvalidArgumentError(
          "the metadata: tokenizer.ggml.token_type or scores has another length than tokens");
    }
    for (const char* name : {"bos", "eos", "unknown", "padding", "eot"}) {
      const std::string key = absl::StrCat("tokenizer.ggml.", name, "_token_id");
      ASSIGN_OR_RETURN(std::optional<int64_t> id, GgufInteger(metadata_, key));
      if (!id.has_value()) continue;
      if (*id >= static_cast<int64_t>(tokens_->size()))
        return absl::InvalidArgumentError(
            absl::StrCat("the metadata: ", key, " is ", *id, ", past the vocabulary"));
      special_ids_.emplace_back(name, static_cast<size_t>(*id));
    }
    return absl::OkStatus();
  }

  std::optional<size_t> SpecialId(std::string_view name) const {
    for (const auto& [known, id] : special_ids_) {
      if (known == name) return id;
    }
    return std::nullopt;
  }

  bool HasType(size_t id, TokenType type) const { return types_[id] == static_cast<int32_t>(type); }

  // Padding that a converter invented to fill the embedding has no text to be found in.
  bool IsAdded(size_t id) const {
    return HasType(id, TokenType::kControl) || HasType(id, TokenType::kUserDefined);
  }

  Json Vocabulary() const {
    Json vocabulary = Json::object();
    for (size_t id = 0; id < tokens_->size(); ++id) vocabulary[(*tokens_)[id]] = id;
    return vocabulary;
  }

  Json AddedTokens() const {
    Json added = Json::array();
    for (size_t id = 0; id < tokens_->size(); ++id) {
      if (!IsAdded(id) && !HasType(id, TokenType::kUnknown)) continue;
      added.push_back({{"id", id},
                       {"content", (*tokens_)[id]},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", !HasType(id, TokenType::kUserDefined)}});
    }
    return added;
  }

  absl::Status AddBytePairEncoding(Json& tokenizer) const {
    const std::string name = Text("tokenizer.ggml.pre");
    ASSIGN_OR_RETURN(Json steps, PreTokenizerSteps(name));
    const auto* texts = Find<std::vector<std::string>>("tokenizer.ggml.merges");
    if (texts == nullptr) return absl::InvalidArgumentError("the metadata has no tokenizer.ggml.merges");
    Json merges = Json::array();
    for (const std::string& text : *texts) {
      const size_t space = text.find(' ', 1);
      if (space == std::string::npos)
        return absl::InvalidArgumentError(
            absl::StrCat("the metadata: the merge \"", text, "\" has one part"));
      merges.push_back({text.substr(0, space), text.substr(space + 1)});
    }
    const Json byte_level = {
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
    tokenizer["normalizer"] = nullptr;
    tokenizer["pre_tokenizer"] = std::move(steps);
    tokenizer["post_processor"] = AddsBos() ? BosTemplate() : byte_level;
    tokenizer["decoder"] = byte_level;
    tokenizer["model"] = Model(std::move(merges), /*sentencepiece=*/false);
    tokenizer["model"]["ignore_merges"] = name == "llama-bpe";
    return absl::OkStatus();
  }

  void AddSentencePiece(Json& tokenizer) const {
    std::vector<ScoredPiece> pieces;
    for (size_t id = 0; id < tokens_->size(); ++id) {
      if (HasType(id, TokenType::kNormal)) pieces.push_back({(*tokens_)[id], scores_[id]});
    }
    Json merges = Json::array();
    for (auto& [left, right] : MergesOfPieces(pieces)) merges.push_back({std::move(left), std::move(right)});
    const bool* prefix = Find<bool>("tokenizer.ggml.add_space_prefix");
    const bool adds_prefix = prefix == nullptr || *prefix;
    Json normalizers = Json::array();
    if (adds_prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", kSpaceSymbol}});
    normalizers.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpaceSymbol}});
    Json decoders = {{{"type", "Replace"}, {"pattern", {{"String", kSpaceSymbol}}}, {"content", " "}},
                     {{"type", "ByteFallback"}},
                     {{"type", "Fuse"}}};
    if (adds_prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    tokenizer["normalizer"] = {{"type", "Sequence"}, {"normalizers", normalizers}};
    tokenizer["pre_tokenizer"] = nullptr;
    tokenizer["post_processor"] = AddsBos() ? BosTemplate() : Json();
    tokenizer["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
    tokenizer["model"] = Model(std::move(merges), /*sentencepiece=*/true);
  }

  Json Model(Json merges, bool sentencepiece) const {
    const std::optional<size_t> unknown = sentencepiece ? SpecialId("unknown") : std::nullopt;
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", unknown.has_value() ? Json((*tokens_)[*unknown]) : Json()},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", sentencepiece},
            {"byte_fallback", sentencepiece},
            {"ignore_merges", false},
            {"vocab", Vocabulary()},
            {"merges", std::move(merges)}};
  }

  // llama.cpp's own defaults where the metadata is silent.
  bool AddsBos() const {
    if (!SpecialId("bos").has_value()) return false;
    if (const bool* adds = Find<bool>("tokenizer.ggml.add_bos_token")) return *adds;
    return Text("tokenizer.ggml.model") == "llama" || Text("tokenizer.ggml.pre") == "llama-bpe";
  }

  Json BosTemplate() const {
    const size_t id = *SpecialId("bos");
    const std::string& text = (*tokens_)[id];
    const Json bos = {{"SpecialToken", {{"id", text}, {"type_id", 0}}}};
    const auto sequence = [](const char* name, int type) {
      return Json{{"Sequence", {{"id", name}, {"type_id", type}}}};
    };
    return {{"type", "TemplateProcessing"},
            {"single", {bos, sequence("A", 0)}},
            {"pair", {bos, sequence("A", 0), sequence("B", 1)}},
            {"special_tokens", {{text, {{"id", text}, {"ids", {id}}, {"tokens", {text}}}}}}};
  }

  Json Config() const {
    Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                   {"clean_up_tokenization_spaces", false},
                   {"add_bos_token", AddsBos()}};
    for (const auto& [name, key] : {std::pair("bos", "bos_token"),
                                    {"eos", "eos_token"},
                                    {"unknown", "unk_token"},
                                    {"padding", "pad_token"}}) {
      if (const std::optional<size_t> id = SpecialId(name)) config[key] = (*tokens_)[*id];
    }
    if (const std::string* chat = Find<std::string>("tokenizer.chat_template"))
      config["chat_template"] = *chat;
    return config;
  }

  // A chat ends with the end of a turn as well as with the end of the text.
  Json GenerationConfig() const {
    Json config = Json::object();
    if (const auto bos = SpecialId("bos")) config["bos_token_id"] = *bos;
    const auto eos = SpecialId("eos"), turn = SpecialId("eot");
    if (eos.has_value() && turn.has_value() && *eos != *turn) {
      config["eos_token_id"] = {*eos, *turn};
    } else if (eos.has_value()) {
      config["eos_token_id"] = *eos;
    }
    if (const auto padding = SpecialId("padding")) config["pad_token_id"] = *padding;
    return config;
  }

  const GgufMetadata& metadata_;
  const std::vector<std::string>* tokens_ = nullptr;
  std::vector<int32_t> types_;
  std::vector<float> scores_;
  std::vector<std::pair<std::string, size_t>> special_ids_;
};

}  // namespace

absl::StatusOr<std::vector<SidecarFile>> MakeTokenizerFiles(const GgufMetadata& metadata) {
  return TokenizerBuilder(metadata).Build();
}

}  // namespace quantd
