// What a tokenizer.json does, in the terms of OpenVINO's tokenizer operations. Regular expressions are
// PCRE2's.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace quantd {

// Unicode normalization: "nfc", "nfd", "nfkc", "nfkd".
struct UnicodeForm {
  std::string name;
};

struct Replacement {
  std::string pattern;
  std::string text;        // in the syntax of PCRE2's substitutions: "$$" is a dollar
  bool everywhere = true;  // else where it matches first
};

// Cuts a piece before and after each match.
struct Split {
  std::string pattern;
  enum Keep { kAll, kMatches, kRest } keep = kAll;
};

// Of one piece of a text that is no added token; it doesn't see its neighbours.
using TextStep = std::variant<UnicodeForm, Replacement, Split>;

using TokenText = std::pair<std::string, int32_t>;  // and its id

// Byte-pair encoding. All texts are bytes as they stand in the normalized text.
struct BytePairModel {
  // By id: tokens that merging starts from or makes. Empty for others, which text never becomes.
  std::vector<std::string> tokens;
  // Best first. Both parts and what they make are tokens or added tokens.
  std::vector<std::pair<std::string, std::string>> merges;
  // Added tokens as they stand in the text, and the bytes of characters that have no token.
  std::vector<TokenText> others;
  // Pieces that become a token as they are, whatever merging would make of them.
  std::vector<TokenText> whole_pieces;
};

struct TokenDecoder {
  std::vector<std::string> texts;         // the bytes that each id adds to a text
  std::vector<int32_t> special_ids;       // skipped unless the caller wants them
  std::vector<Replacement> replacements;  // of the whole text, one after the other
};

struct TokenizerSteps {
  std::vector<Replacement> whole_text;  // before anything else
  std::string added_tokens;             // matches them in the text as it is; its group is the token itself
  std::vector<TextStep> normalizer;
  // Where some are looked for in normalized text: matches those, and again the others, each of which is a
  // piece by then. Else empty.
  std::string all_added_tokens;
  std::vector<TextStep> pre_tokenizer;
  BytePairModel model;
  std::vector<int32_t> prefix;  // ids that every text begins with
  std::vector<int32_t> suffix;
  TokenDecoder decoder;
};

}  // namespace quantd
