#include "workers/models/targets/openvino/added_tokens.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "workers/models/targets/openvino/regex_dialect.h"
#include "workers/models/targets/openvino/tokenizer_json.h"

namespace quantd {
namespace {

absl::StatusOr<AddedToken> ReadAddedToken(const Json& token, int64_t vocabulary) {
  AddedToken out;
  out.content = TextOf(Member(token, "content"));
  if (out.content.empty()) return BrokenTokenizer("an added token has no content");
  const Json& id = Member(token, "id");
  if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(vocabulary)) {
    return BrokenTokenizer(absl::StrCat("the added token \"", out.content, "\" has the id ", id.dump(),
                                        ", but the model has ", vocabulary, " tokens"));
  }
  out.id = id.get<int32_t>();
  if (IsTrue(Member(token, "single_word")))
    return NoOpenVinoTokenizer(absl::StrCat("the added token \"", out.content, "\" must be a single word"));
  out.is_special = IsTrue(Member(token, "special"));
  out.is_normalized = IsTrue(Member(token, "normalized"));
  out.strips_left = IsTrue(Member(token, "lstrip"));
  out.strips_right = IsTrue(Member(token, "rstrip"));
  return out;
}

bool HasSpaceAtAnEnd(const AddedToken& token) {
  const auto is_space = [](char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); };
  return is_space(token.content.front()) || is_space(token.content.back());
}

// The space before a token is taken from its begin on, so that a long run without a token is read once.
std::string AlternativeOf(const AddedToken& token) {
  const std::string spaces = absl::StrCat("[", kWhiteSpaceOfClass, "]");
  std::string out;
  if (token.strips_left) absl::StrAppend(&out, "(?:\\G|(?<!", spaces, "))", spaces, "*+");
  absl::StrAppend(&out, "(", QuoteForRegex(token.content), ")");
  if (token.strips_right) absl::StrAppend(&out, spaces, "*+");
  return out;
}

}  // namespace

absl::StatusOr<std::vector<AddedToken>> ReadAddedTokens(const Json& tokenizer, int64_t vocabulary) {
  std::vector<AddedToken> tokens;
  const Json& list = Member(tokenizer, "added_tokens");
  if (!list.is_null() && !list.is_array()) return BrokenTokenizer("added_tokens is no list");
  for (const Json& token : list) {
    ASSIGN_OR_RETURN(AddedToken read, ReadAddedToken(token, vocabulary));
    tokens.push_back(std::move(read));
  }
  const bool strips = std::any_of(tokens.begin(), tokens.end(), [](const AddedToken& token) {
    return token.strips_left || token.strips_right;
  });
  if (strips && std::any_of(tokens.begin(), tokens.end(), HasSpaceAtAnEnd))
    return NoOpenVinoTokenizer("has added tokens of space beside others that strip it");
  return tokens;
}

std::string PatternOf(std::vector<AddedToken> tokens) {
  if (tokens.empty()) return "(?!)";
  std::stable_sort(tokens.begin(), tokens.end(), [](const AddedToken& a, const AddedToken& b) {
    return a.content.size() > b.content.size();
  });
  return absl::StrCat("(?|",
                      absl::StrJoin(tokens, "|",
                                    [](std::string* out, const AddedToken& token) {
                                      absl::StrAppend(out, AlternativeOf(token));
                                    }),
                      ")");
}

}  // namespace quantd
