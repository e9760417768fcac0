#include "workers/models/targets/openvino/read_tokenizer.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "workers/models/targets/openvino/added_tokens.h"
#include "workers/models/targets/openvino/byte_pair_model.h"
#include "workers/models/targets/openvino/regex_dialect.h"
#include "workers/models/targets/openvino/text_steps.h"
#include "workers/models/targets/openvino/token_decoder.h"
#include "workers/models/targets/openvino/tokenizer_json.h"

namespace quantd {
namespace {

class StepsReader {
 public:
  StepsReader(const Json& tokenizer, const Json& config, int64_t vocabulary)
      : tokenizer_(tokenizer), config_(config), vocabulary_(vocabulary) {}

  absl::StatusOr<TokenizerSteps> Read() {
    ASSIGN_OR_RETURN(added_, ReadAddedTokens(tokenizer_, vocabulary_));
    ASSIGN_OR_RETURN(const std::vector<std::string> texts, ReadVocabulary(tokenizer_, added_, vocabulary_));
    ASSIGN_OR_RETURN(out_.decoder, ReadTokenDecoder(Member(tokenizer_, "decoder"), texts, added_));
    ASSIGN_OR_RETURN(out_.normalizer, ReadNormalizer(Member(tokenizer_, "normalizer")));
    RETURN_IF_ERROR(ReadAddedPatterns());
    ASSIGN_OR_RETURN(PreTokenizer pre_tokenizer, ReadPreTokenizer(Member(tokenizer_, "pre_tokenizer")));
    out_.pre_tokenizer = std::move(pre_tokenizer.steps);
    if (!pre_tokenizer.prefix_of_text.empty()) RETURN_IF_ERROR(AddPrefixOfText(pre_tokenizer.prefix_of_text));
    ASSIGN_OR_RETURN(out_.model, ReadBytePairModel(tokenizer_, texts, added_, pre_tokenizer.spells_bytes));
    RETURN_IF_ERROR(ReadPostProcessor(Member(tokenizer_, "post_processor")));
    if (!has_template_) AddConfiguredTokens();
    return std::move(out_);
  }

 private:
  // From here on the contents of normalized tokens are normalized.
  absl::Status ReadAddedPatterns() {
    std::vector<AddedToken> plain, all;
    for (AddedToken& token : added_) {
      if (token.is_normalized) {
        ASSIGN_OR_RETURN(token.content,
                         Normalize(Member(tokenizer_, "normalizer"), std::move(token.content)));
        all.push_back(token);
      } else {
        plain.push_back(token);
        all.push_back({.content = token.content});  // the space around it is gone already
      }
    }
    const bool has_normalized = plain.size() < all.size();
    out_.added_tokens = PatternOf(std::move(plain));
    if (has_normalized) out_.all_added_tokens = PatternOf(std::move(all));
    return absl::OkStatus();
  }

  // Before added tokens are cut out, because afterwards no piece knows whether it is the first.
  absl::Status AddPrefixOfText(const std::string& prefix) {
    const bool is_confusing = std::any_of(added_.begin(), added_.end(), [&](const AddedToken& token) {
      return token.is_normalized || token.content.starts_with(prefix);
    });
    if (!out_.normalizer.empty() || is_confusing)
      return NoOpenVinoTokenizer("puts a prefix before a text that is changed in other ways too");
    ASSIGN_OR_RETURN(Replacement replacement, LiteralReplacement("", prefix));
    replacement.pattern = absl::StrCat("\\A(?!", out_.added_tokens, ")(?=[^ ", QuoteForRegex(prefix), "])");
    replacement.everywhere = false;
    out_.whole_text.push_back(std::move(replacement));
    return absl::OkStatus();
  }

  absl::Status ReadPostProcessor(const Json& processor) {
    const std::string type = TypeOf(processor);
    if (processor.is_null() || type == "ByteLevel") return absl::OkStatus();  // offsets only
    if (type == "TemplateProcessing") return ReadTemplate(processor);
    const Json& inner = Member(processor, "processors");
    if (type != "Sequence" || !inner.is_array() || is_in_sequence_)
      return NoOpenVinoTokenizer(absl::StrCat("has the post-processor \"", type, "\""));
    is_in_sequence_ = true;
    for (const Json& step : inner) RETURN_IF_ERROR(ReadPostProcessor(step));
    return absl::OkStatus();
  }

  absl::Status ReadTemplate(const Json& processor) {
    if (has_template_) return NoOpenVinoTokenizer("has several templates");
    has_template_ = true;
    const Json& single = Member(processor, "single");
    if (!single.is_array()) return BrokenTokenizer("a template has no list of parts");
    bool is_behind_text = false;
    for (const Json& part : single) {
      if (const Json& sequence = Member(part, "Sequence"); !sequence.is_null()) {
        if (is_behind_text) return NoOpenVinoTokenizer("has a template that repeats the text");
        is_behind_text = true;
        continue;
      }
      const std::string name = TextOf(Member(Member(part, "SpecialToken"), "id"));
      const Json& ids = Member(Member(Member(processor, "special_tokens"), name.c_str()), "ids");
      RETURN_IF_ERROR(AppendIds(name, ids, is_behind_text ? out_.suffix : out_.prefix));
    }
    return is_behind_text ? absl::OkStatus() : BrokenTokenizer("a template leaves the text out");
  }

  absl::Status AppendIds(const std::string& name, const Json& ids, std::vector<int32_t>& out) const {
    if (!ids.is_array())
      return BrokenTokenizer(absl::StrCat("the template's token \"", name, "\" has no ids"));
    for (const Json& id : ids) {
      if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(vocabulary_))
        return BrokenTokenizer(absl::StrCat("the template's token \"", name, "\" has the id ", id.dump()));
      out.push_back(id.get<int32_t>());
    }
    return absl::OkStatus();
  }

  void AddConfiguredTokens() {
    for (const auto& [adds, token, out] : {std::tuple("add_bos_token", "bos_token", &out_.prefix),
                                           {"add_eos_token", "eos_token", &out_.suffix}}) {
      if (!IsTrue(Member(config_, adds))) continue;
      if (const auto id = FindToken(tokenizer_, Member(config_, token))) out->push_back(*id);
    }
  }

  const Json& tokenizer_;
  const Json& config_;
  const int64_t vocabulary_;
  std::vector<AddedToken> added_;
  bool has_template_ = false;
  bool is_in_sequence_ = false;
  TokenizerSteps out_;
};

}  // namespace

std::optional<int32_t> FindToken(const Json& tokenizer, const Json& token) {
  const std::string text = TextOf(token.is_object() ? Member(token, "content") : token);
  if (text.empty()) return std::nullopt;
  const auto id_of = [](const Json& id) {
    return id.is_number_unsigned() ? std::optional(id.get<int32_t>()) : std::nullopt;
  };
  for (const Json& added : Member(tokenizer, "added_tokens")) {
    if (Member(added, "content") == text) return id_of(Member(added, "id"));
  }
  return id_of(Member(Member(Member(tokenizer, "model"), "vocab"), text.c_str()));
}

absl::StatusOr<TokenizerSteps> ReadTokenizerSteps(const Json& tokenizer, const Json& config,
                                                  int64_t vocabulary) {
  return StepsReader(tokenizer, config, vocabulary).Read();
}

}  // namespace quantd
