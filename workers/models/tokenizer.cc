#include "workers/models/tokenizer.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "workers/models/pre_tokenizer.h"
#include "workers/models/sentencepiece_model.pb.h"
#include "workers/models/special_tokens.h"

namespace quantd {
namespace {

constexpr float kPaddingScore = -10000.0f;
constexpr float kAddedScore = -1000.0f;
constexpr char kSentencePieceSpace[] = "\xe2\x96\x81";

// Null when the file is missing.
absl::StatusOr<Json> OptionalJson(const CheckpointFiles& files, const std::string& path) {
  absl::StatusOr<Json> json = files.ReadJson(path);
  if (absl::IsNotFound(json.status())) return Json();
  return json;
}

// Some models mark tokens of their chat format as ordinary ones.
bool LooksSpecial(const std::string& text) {
  if (text == "<pad>" || text == "<mask>" || text == "<2mass>" || text == "[@BOS@]") return true;
  const auto between = [&](const char* begin, const char* end) {
    return absl::StartsWith(text, begin) && absl::EndsWith(text, end);
  };
  return between("<|", "|>") || between("<\xef\xbd\x9c", "\xef\xbd\x9c>") || between("<unused", ">");
}

// "<0x0A>": SentencePiece's token of a byte.
bool IsByteToken(const std::string& text) {
  return text.size() == 6 && absl::StartsWith(text, "<0x") && text[5] == '>' &&
         absl::ascii_isxdigit(static_cast<unsigned char>(text[3])) &&
         absl::ascii_isxdigit(static_cast<unsigned char>(text[4]));
}

class TokenizerReader {
 public:
  explicit TokenizerReader(const Model& model)
      : model_(model), size_(static_cast<size_t>(model.parameters.vocabulary)) {}

  absl::StatusOr<Tokenizer> Read() {
    const CheckpointFiles& files = *model_.files;
    ASSIGN_OR_RETURN(tokenizer_, OptionalJson(files, "tokenizer.json"));
    ASSIGN_OR_RETURN(config_, OptionalJson(files, "tokenizer_config.json"));
    out_.tokens.resize(size_);
    out_.types.assign(size_, TokenType::kUnused);
    if (UsesSentencePiece()) {
      RETURN_IF_ERROR(ReadSentencePiece());
    } else {
      RETURN_IF_ERROR(ReadBytePairEncoding());
    }
    PadTokens();
    ReadSpecialTokens(tokenizer_, config_, model_.config, out_);
    RETURN_IF_ERROR(ReadChatTemplate());
    return std::move(out_);
  }

 private:
  // Phi-3's tokenizer is SentencePiece unless its class says otherwise; other models' is when the file is
  // there.
  bool UsesSentencePiece() const {
    const bool is_phi3 = model_.architecture->model_type == "phi3";
    if (is_phi3 && config_.is_object() && config_.value("tokenizer_class", Json()) == "GPT2Tokenizer")
      return false;
    return model_.files->Find("tokenizer.model") != nullptr;
  }

  absl::Status CheckId(const std::string& file, const std::string& token, const Json& id) const {
    if (id.is_number_unsigned() && id.get<uint64_t>() < size_) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(file, ": token \"", token, "\" has the id ", id.dump(),
                                                   ", but config.json's vocab_size is ", size_));
  }

  absl::Status ReadSentencePiece() {
    out_.model = "llama";
    out_.pre_tokenizer = "default";
    out_.scores.assign(size_, kPaddingScore);
    ASSIGN_OR_RETURN(std::string bytes, model_.files->ReadText("tokenizer.model"));
    sentencepiece::ModelProto pieces;
    if (!pieces.ParseFromString(bytes) || pieces.pieces_size() == 0)
      return absl::InvalidArgumentError("tokenizer.model: is no SentencePiece model");
    for (size_t id = 0; id < std::min(size_, static_cast<size_t>(pieces.pieces_size())); ++id) {
      const auto& piece = pieces.pieces(static_cast<int>(id));
      out_.tokens[id] = piece.piece();
      out_.scores[id] = piece.score();
      out_.types[id] = PieceType(piece.type());
    }
    RETURN_IF_ERROR(OverlayAddedTokensFile());
    return OverlayAddedTokens();
  }

  static TokenType PieceType(sentencepiece::ModelProto::SentencePiece::Type type) {
    using Piece = sentencepiece::ModelProto::SentencePiece;
    switch (type) {
      case Piece::UNKNOWN:
        return TokenType::kUnknown;
      case Piece::CONTROL:
        return TokenType::kControl;
      case Piece::UNUSED:
        return TokenType::kUnused;
      case Piece::BYTE:
        return TokenType::kByte;
      default:
        return TokenType::kNormal;  // the converter makes no difference for user-defined pieces
    }
  }

  absl::Status OverlayAddedTokensFile() {
    ASSIGN_OR_RETURN(Json added, OptionalJson(*model_.files, "added_tokens.json"));
    if (!added.is_object()) return absl::OkStatus();
    for (const auto& [text, id] : added.items()) {
      if (!CheckId("added_tokens.json", text, id).ok())
        continue;  // the converter ignores ids outside the vocabulary too
      Overlay(id.get<size_t>(), text, TokenType::kUserDefined);
    }
    return absl::OkStatus();
  }

  // tokenizer_config.json's added_tokens_decoder, and for Phi-3 also tokenizer.json's added_tokens.
  absl::Status OverlayAddedTokens() {
    const bool is_phi3 = model_.architecture->model_type == "phi3";
    if (config_.is_object() && config_.contains("added_tokens_decoder") &&
        config_["added_tokens_decoder"].is_object()) {
      for (const auto& [key, token] : config_["added_tokens_decoder"].items()) {
        uint32_t id = 0;
        const bool is_number = absl::SimpleAtoi(key, &id);
        RETURN_IF_ERROR(
            OverlayToken("tokenizer_config.json", is_number ? Json(id) : Json(key), token, !is_phi3));
      }
    }
    if (!is_phi3 || !tokenizer_.is_object() || !tokenizer_.contains("added_tokens")) return absl::OkStatus();
    for (const Json& token : tokenizer_["added_tokens"]) {
      if (!token.is_object())
        return absl::InvalidArgumentError("tokenizer.json: an added token is not an object");
      RETURN_IF_ERROR(OverlayToken("tokenizer.json", token.value("id", Json()), token, /*guess=*/false));
    }
    return absl::OkStatus();
  }

  // `guess`: tokens that look special count as such, and others get their spaces back, as the general
  // converter does.
  absl::Status OverlayToken(const std::string& file, const Json& id, const Json& token, bool guess) {
    if (!token.is_object() || !token.contains("content") || !token["content"].is_string()) {
      return absl::InvalidArgumentError(absl::StrCat(file, ": an added token has no content"));
    }
    std::string text = token["content"].get<std::string>();
    if (guess && !CheckId(file, text, id).ok()) return absl::OkStatus();
    RETURN_IF_ERROR(CheckId(file, text, id));
    const bool special = token.value("special", Json(false)) == true || (guess && LooksSpecial(text));
    if (guess && !special) text = absl::StrReplaceAll(text, {{kSentencePieceSpace, " "}});
    Overlay(id.get<size_t>(), text, special ? TokenType::kControl : TokenType::kUserDefined);
    return absl::OkStatus();
  }

  void Overlay(size_t id, std::string text, TokenType type) {
    out_.tokens[id] = std::move(text);
    out_.types[id] = type;
    out_.scores[id] = kAddedScore;
  }

  absl::Status ReadBytePairEncoding() {
    if (!tokenizer_.is_object()) {
      return absl::FailedPreconditionError(
          "the checkpoint has neither tokenizer.json nor tokenizer.model: GGUF needs a vocabulary");
    }
    const Json& model = tokenizer_.contains("model") ? tokenizer_["model"] : tokenizer_;
    if (!model.is_object() || model.value("type", Json("BPE")) != "BPE" || !model.contains("vocab") ||
        !model["vocab"].is_object()) {
      return absl::FailedPreconditionError("tokenizer.json: only BPE models can be written as GGUF");
    }
    for (const auto& [text, id] : model["vocab"].items()) {
      RETURN_IF_ERROR(CheckId("tokenizer.json", text, id));
      std::string& token = out_.tokens[id.get<size_t>()];
      TokenType& type = out_.types[id.get<size_t>()];
      if (type == TokenType::kNormal) {
        return absl::InvalidArgumentError(absl::StrCat("tokenizer.json: the tokens \"", token, "\" and \"",
                                                       text, "\" have the same id ", id.dump()));
      }
      token = text;
      type = TokenType::kNormal;
    }
    if (model.value("byte_fallback", Json(false)) == true) return ReadByteFallback(model["vocab"]);
    out_.model = "gpt2";
    ASSIGN_OR_RETURN(out_.pre_tokenizer, PreTokenizerName(tokenizer_));
    RETURN_IF_ERROR(ReadAddedTokens());
    return ReadMerges(model);
  }

  // A SentencePiece vocabulary without its tokenizer.model: the scores are lost, and the converter writes the
  // same for all.
  absl::Status ReadByteFallback(const Json& vocab) {
    out_.model = "llama";
    out_.pre_tokenizer = "default";
    out_.scores.assign(size_, kAddedScore);
    const std::set<std::string> special = ConfiguredSpecialTokens();
    for (const auto& [text, id] : vocab.items()) {
      TokenType& type = out_.types[id.get<size_t>()];
      if (special.count(text) > 0) type = TokenType::kControl;
      if (IsByteToken(text)) type = TokenType::kByte;
    }
    if (!tokenizer_.contains("added_tokens")) return absl::OkStatus();
    for (const Json& token : tokenizer_["added_tokens"]) {
      ASSIGN_OR_RETURN(std::string text, AddedText("tokenizer.json", token));
      if (vocab.contains(text)) continue;
      const Json id = token.value("id", Json());
      RETURN_IF_ERROR(CheckId("tokenizer.json", text, id));
      Overlay(id.get<size_t>(), text,
              special.count(text) > 0 ? TokenType::kControl : TokenType::kUserDefined);
    }
    return absl::OkStatus();
  }

  // The tokens that tokenizer_config.json names for a purpose.
  std::set<std::string> ConfiguredSpecialTokens() const {
    std::set<std::string> special;
    if (!config_.is_object()) return special;
    const auto add = [&](const Json& token) {
      if (token.is_string()) special.insert(token.get<std::string>());
      if (token.is_object() && token.contains("content")) {
        if (const Json& content = token["content"]; content.is_string())
          special.insert(content.get<std::string>());
      }
    };
    for (const char* purpose : {"bos", "eos", "unk", "sep", "pad", "cls", "mask"})
      add(config_.value(absl::StrCat(purpose, "_token"), Json()));
    if (!config_.contains("additional_special_tokens")) return special;
    for (const Json& token : config_["additional_special_tokens"]) add(token);
    return special;
  }

  static absl::StatusOr<std::string> AddedText(const std::string& file, const Json& token) {
    if (!token.is_object() || !token.contains("content") || !token["content"].is_string())
      return absl::InvalidArgumentError(absl::StrCat(file, ": an added token has no content"));
    return token["content"].get<std::string>();
  }

  // tokenizer.json's, and those that only tokenizer_config.json has.
  absl::Status ReadAddedTokens() {
    if (tokenizer_.contains("added_tokens")) {
      for (const Json& token : tokenizer_["added_tokens"])
        RETURN_IF_ERROR(
            ReadAddedToken("tokenizer.json", token.is_object() ? token.value("id", Json()) : Json(), token));
    }
    if (!config_.is_object() || !config_.contains("added_tokens_decoder")) return absl::OkStatus();
    for (const auto& [key, token] : config_["added_tokens_decoder"].items()) {
      const Json id = Json::parse(key, nullptr, /*allow_exceptions=*/false);
      const bool known = id.is_number_unsigned() && id.get<uint64_t>() < size_ &&
                         out_.types[id.get<size_t>()] != TokenType::kUnused;
      if (!known) RETURN_IF_ERROR(ReadAddedToken("tokenizer_config.json", id, token));
    }
    return absl::OkStatus();
  }

  absl::Status ReadAddedToken(const std::string& file, const Json& id, const Json& token) {
    ASSIGN_OR_RETURN(std::string text, AddedText(file, token));
    RETURN_IF_ERROR(CheckId(file, text, id));
    const bool special = token.value("special", Json(false)) == true || LooksSpecial(text);
    if (!special) text = absl::StrReplaceAll(text, {{kSentencePieceSpace, " "}});
    out_.tokens[id.get<size_t>()] = text;
    out_.types[id.get<size_t>()] = special ? TokenType::kControl : TokenType::kUserDefined;
    return absl::OkStatus();
  }

  absl::Status ReadMerges(const Json& model) {
    if (!model.contains("merges") || !model["merges"].is_array()) {
      return absl::FailedPreconditionError("tokenizer.json: has no merges");
    }
    for (const Json& merge : model["merges"]) {
      if (merge.is_string()) {
        out_.merges.push_back(merge.get<std::string>());
      } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        const auto part = [&](size_t i) {
          return absl::StrReplaceAll(merge[i].get<std::string>(), {{" ", "\xc4\xa0"}});
        };
        out_.merges.push_back(absl::StrCat(part(0), " ", part(1)));
      } else {
        return absl::InvalidArgumentError("tokenizer.json: a merge is neither \"a b\" nor [\"a\", \"b\"]");
      }
    }
    return absl::OkStatus();
  }

  void PadTokens() {
    for (size_t id = 0; id < size_; ++id) {
      if (out_.types[id] == TokenType::kUnused && out_.tokens[id].empty())
        out_.tokens[id] = absl::StrCat("[PAD", id, "]");
    }
  }

  // chat_template of tokenizer_config.json, else chat_template.jinja, else chat_template.json's.
  absl::Status ReadChatTemplate() {
    if (!config_.is_object()) return absl::OkStatus();
    if (config_.contains("chat_template")) {
      const Json& value = config_["chat_template"];
      if (value.is_string()) out_.chat_template = value.get<std::string>();
      if (value.is_array()) ReadNamedChatTemplates(value);
      return absl::OkStatus();
    }
    absl::StatusOr<std::string> jinja = model_.files->ReadText("chat_template.jinja");
    if (jinja.ok()) {
      out_.chat_template = *std::move(jinja);
      return absl::OkStatus();
    }
    if (!absl::IsNotFound(jinja.status())) return jinja.status();
    ASSIGN_OR_RETURN(Json json, OptionalJson(*model_.files, "chat_template.json"));
    if (json.is_object() && json.contains("chat_template") && json["chat_template"].is_string()) {
      out_.chat_template = json["chat_template"].get<std::string>();
    }
    return absl::OkStatus();
  }

  void ReadNamedChatTemplates(const Json& list) {
    for (const Json& entry : list) {
      if (!entry.is_object()) continue;
      const Json name = entry.value("name", Json()), text = entry.value("template", Json());
      if (!name.is_string() || name.get<std::string>().empty() || !text.is_string()) continue;
      if (name == "default") {
        out_.chat_template = text.get<std::string>();
        continue;
      }
      std::string key = name.get<std::string>();
      for (char& c : key) {
        if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) c = '_';
      }
      out_.named_chat_templates.emplace_back(std::move(key), text.get<std::string>());
    }
  }

  const Model& model_;
  const size_t size_;
  Json tokenizer_;
  Json config_;
  Tokenizer out_;
};

}  // namespace

absl::StatusOr<Tokenizer> ReadTokenizer(const Model& model) { return TokenizerReader(model).Read(); }

}  // namespace quantd
