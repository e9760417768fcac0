#include "workers/models/special_tokens.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"

namespace quantd {
namespace {

// The text of a token that is written as a string or as an object with "content"; empty when it is neither.
std::string TokenText(const Json& config, const std::string& key) {
  auto found = config.find(key);
  if (found == config.end()) return "";
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object() && found->contains("content") && (*found)["content"].is_string()) {
    return (*found)["content"].get<std::string>();
  }
  return "";
}

// The id of the special token that a template's step names, or of the sequence; empty for the other kind.
std::string StepId(const Json& step, const char* kind) {
  if (!step.is_object() || !step.contains(kind) || !step[kind].is_object() || !step[kind].contains("id"))
    return "";
  const Json& id = step[kind]["id"];
  return id.is_string() ? id.get<std::string>() : "";
}

class SpecialTokens {
 public:
  SpecialTokens(const Json& tokenizer, Json tokenizer_config, Tokenizer& out)
      : tokenizer_(tokenizer), config_(std::move(tokenizer_config)), out_(out) {
    if (!config_.is_object()) config_ = Json::object();
  }

  void ReadPostProcessor() {
    bos_ = TokenText(config_, "bos_token");
    eos_ = TokenText(config_, "eos_token");
    cls_ = TokenText(config_, "cls_token");
    sep_ = TokenText(config_, "sep_token");
    if (bos_.empty() && !cls_.empty()) config_["bos_token"] = bos_ = cls_;
    if (eos_.empty() && !sep_.empty()) config_["eos_token"] = eos_ = sep_;
    if (!tokenizer_.is_object() || !tokenizer_.contains("post_processor")) return;
    const Json& processor = tokenizer_["post_processor"];
    if (!processor.is_object()) return;
    if (processor.contains("processors") && processor["processors"].is_array()) {
      for (const Json& inner : processor["processors"]) ReadProcessor(inner);
    } else {
      ReadProcessor(processor);
    }
  }

  void ReadTokenizerConfig() {
    for (const std::string& type : types_) {
      auto add = config_.find(absl::StrCat("add_", type, "_token"));
      if (add != config_.end() && add->is_boolean() && !Added(type))
        out_.add_special.emplace_back(type, add->get<bool>());
      const std::string text = TokenText(config_, absl::StrCat(type, "_token"));
      if (!text.empty()) SetId(type, AddedTokenId(text));
    }
  }

  void ReadModelConfig(const Json& config) {
    for (const std::string& type : types_) {
      auto id = config.find(absl::StrCat(type, "_token_id"));
      if (id != config.end()) SetId(type, *id);
    }
  }

 private:
  void ReadProcessor(const Json& processor) {
    if (!processor.is_object() || !processor.contains("type")) return;
    const Json& type = processor["type"];
    if (type == "ByteLevel") {
      if (!Added("bos")) SetAdded("bos", false);
      if (!Added("eos")) SetAdded("eos", false);
    } else if (type == "TemplateProcessing") {
      ReadTemplate(processor);
    }
  }

  // A template lists what surrounds one text ("single") and what stands between two ("pair").
  void ReadTemplate(const Json& processor) {
    const Json single = processor.value("single", Json::array());
    std::string first, last;
    if (single.is_array() && single.size() > 1) {
      first = StepId(single.front(), "SpecialToken");
      last = StepId(single.back(), "SpecialToken");
      if (!first.empty()) ReadFirst(first);
      if (!last.empty()) ReadLast(last);
    }
    const Json pair = processor.value("pair", Json::array());
    if (pair.is_array() && !pair.empty()) ReadPair(pair, first, last);
  }

  void ReadFirst(const std::string& first) {
    if (first != bos_ && first != cls_) {
      if (bos_.empty()) config_["bos_token"] = bos_ = first;
      if (cls_.empty()) config_["cls_token"] = cls_ = first;
    }
    SetAdded("bos", first == bos_ || first == cls_);
  }

  // A text that ends with another token than the end-of-text one: that one becomes the end of a turn.
  void ReadLast(const std::string& last) {
    if (last != eos_) {
      for (const char* type : {"eot", "eom"}) {
        if (std::find(types_.begin(), types_.end(), type) != types_.end()) continue;
        types_.emplace_back(type);
        config_[absl::StrCat(type, "_token")] = eos_;
        break;
      }
      config_["eos_token"] = eos_ = last;
    }
    SetAdded("eos", true);
  }

  void ReadPair(const Json& pair, const std::string& first, const std::string& last) {
    size_t begin = 0, end = pair.size();
    if (!first.empty() && StepId(pair.front(), "SpecialToken") == first) begin = 1;
    if (!last.empty() && end > begin && StepId(pair.back(), "SpecialToken") == last) --end;
    if (end - begin <= 2 || StepId(pair[begin], "Sequence") != "A" ||
        StepId(pair[end - 1], "Sequence") != "B")
      return;
    const auto is_separator = [&](size_t at) {
      const std::string id = StepId(pair[at], "SpecialToken");
      return !id.empty() && (id == sep_ || id == eos_);
    };
    bool add = is_separator(begin + 1) && last.empty();
    if (end - begin == 4 && is_separator(begin + 2)) add = true;
    SetAdded("sep", add);
    if (add && sep_.empty()) config_["sep_token"] = eos_;
  }

  bool Added(const std::string& type) const {
    return std::any_of(out_.add_special.begin(), out_.add_special.end(),
                       [&](const auto& entry) { return entry.first == type; });
  }

  void SetAdded(const std::string& type, bool value) {
    for (auto& entry : out_.add_special) {
      if (entry.first == type) {
        entry.second = value;
        return;
      }
    }
    out_.add_special.emplace_back(type, value);
  }

  Json AddedTokenId(const std::string& text) const {
    if (!tokenizer_.is_object() || !tokenizer_.contains("added_tokens")) return nullptr;
    for (const Json& token : tokenizer_["added_tokens"]) {
      if (token.is_object() && token.value("content", Json()) == text) return token.value("id", Json());
    }
    return nullptr;
  }

  void SetId(const std::string& type, const Json& id) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= out_.tokens.size()) return;
    for (const auto& entry : out_.special_ids) {
      if (entry.first == type) return;
    }
    out_.special_ids.emplace_back(type, id.get<uint32_t>());
  }

  const Json& tokenizer_;
  Json config_;
  Tokenizer& out_;
  std::vector<std::string> types_ = {"bos", "eos", "unk", "sep", "pad", "cls", "mask"};
  std::string bos_, eos_, cls_, sep_;
};

}  // namespace

void ReadSpecialTokens(const Json& tokenizer, Json tokenizer_config, const Json& config, Tokenizer& out) {
  const bool has_tokenizer_config = tokenizer_config.is_object();
  SpecialTokens special(tokenizer, std::move(tokenizer_config), out);
  special.ReadPostProcessor();
  if (has_tokenizer_config) special.ReadTokenizerConfig();
  special.ReadModelConfig(config);
}

}  // namespace quantd
