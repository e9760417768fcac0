#include "server/auth/base64url.h"

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"

namespace quantd {
namespace {

absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::string EncodeBase64Url(std::string_view bytes) {
  std::string text = absl::WebSafeBase64Escape(Abseil(bytes));
  while (absl::EndsWith(text, "=")) text.pop_back();
  return text;
}

std::optional<std::string> DecodeBase64Url(std::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(Abseil(text), &bytes) || EncodeBase64Url(bytes) != text)
    return std::nullopt;
  return bytes;
}

}  // namespace quantd
