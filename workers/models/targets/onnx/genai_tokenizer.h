// What onnxruntime-genai makes of a checkpoint's tokenizer files.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/json.h"

namespace quantd {

// The tokens of a tokenizer.json by their texts.
class GenaiVocabulary {
 public:
  explicit GenaiVocabulary(const Json& tokenizer);

  std::optional<int64_t> IdOf(std::string_view text) const;
  // Of a token that tokenizer_config.json names for a purpose ("eos_token"): a text, or an object with one.
  std::optional<int64_t> IdOf(const Json& tokenizer_config, const char* purpose) const;

  int64_t largest_id() const { return largest_id_; }  // -1 for an empty one

 private:
  void Add(const Json& text, const Json& id);

  std::map<std::string, int64_t, std::less<>> ids_;
  int64_t largest_id_ = -1;
};

// FAILED_PRECONDITION when the tokenizer's model is of a kind that onnxruntime-genai doesn't have.
absl::Status CheckGenaiTokenizer(const Json& tokenizer);

// Puts right what onnxruntime-genai refuses in a tokenizer_config.json: classes that it does not know, lists
// of chat templates, nulls. Adds a sentence to `notes` for each change and returns whether there was one.
bool RepairTokenizerConfig(const Json& tokenizer, Json& tokenizer_config, std::vector<std::string>& notes);

}  // namespace quantd
