#include "base/json.h"

#include "absl/strings/str_cat.h"

namespace quantd {
namespace {

// Deepest nesting of brackets outside strings, found before the text is parsed: the parser's own recursion
// (destructors included) then has a bound.
int NestingDepth(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

absl::StatusOr<Json> ParseJson(std::string_view text, std::string_view what) {
  if (NestingDepth(text) > kMaxJsonDepth) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(what), ": JSON nests deeper than ", kMaxJsonDepth));
  }
  Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded())
    return absl::InvalidArgumentError(absl::StrCat(std::string(what), ": is not valid JSON"));
  return json;
}

absl::StatusOr<std::string> WriteJson(const Json& json, int indent, std::string_view what) {
  // The library reports a broken string by an exception only.
  try {
    return json.dump(indent);
  } catch (const Json::type_error&) {
    return absl::InvalidArgumentError(absl::StrCat(std::string(what), ": holds a text that is no UTF-8"));
  }
}

}  // namespace quantd
