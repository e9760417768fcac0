// A checkpoint's vocabulary as GGUF files carry it. The rules are those of llama.cpp's converter
// (conversion/base.py and gguf-py/gguf/vocab.py), so that its files and ours tokenize alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/models/model.h"

namespace quantd {

// GGUF's numbers of token types.
enum class TokenType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

struct Tokenizer {
  std::string model;  // "gpt2" (byte-level BPE) or "llama" (SentencePiece)
  std::string
      pre_tokenizer;  // llama.cpp's name of the way text is split before merging: "smollm", "llama-bpe", …
  std::vector<std::string> tokens;  // one for each row of the embedding
  std::vector<float> scores;        // "llama" only
  std::vector<TokenType> types;
  std::vector<std::string> merges;  // "gpt2" only: "left right", a space inside a part written as U+0120
  // In the order in which the files name them: "bos", "eos", "unk", "sep", "pad", "cls", "mask", "eot",
  // "eom".
  std::vector<std::pair<std::string, uint32_t>> special_ids;
  std::vector<std::pair<std::string, bool>> add_special;  // whether "bos", "eos", "sep" are added to a text
  std::optional<std::string> chat_template;
  // Templates for other purposes ("tool_use"), by name.
  std::vector<std::pair<std::string, std::string>> named_chat_templates;
};

// Errors: FAILED_PRECONDITION when the checkpoint has no tokenizer that GGUF can hold (no files, an unknown
// pre-tokenizer), INVALID_ARGUMENT when a file is broken or has ids outside the vocabulary.
absl::StatusOr<Tokenizer> ReadTokenizer(const Model& model);

}  // namespace quantd
