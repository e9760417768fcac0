// Regular expressions of tokenizer.json are Oniguruma's, in Ruby's syntax; OpenVINO's tokenizer has PCRE2,
// with Unicode properties for \d, \w and \s.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quantd {

// Unicode's White_Space, inside a class of characters. PCRE2's own \s has U+180E too.
inline constexpr char kWhiteSpaceOfClass[] = R"(\t-\r \x{85}\p{Z})";

// The expression that matches alike. FAILED_PRECONDITION for what the two read differently and can't be
// rewritten, or what is no expression.
absl::StatusOr<std::string> ToPcre(std::string_view expression);

// An expression that matches this text and nothing else.
std::string QuoteForRegex(std::string_view text);

}  // namespace quantd
