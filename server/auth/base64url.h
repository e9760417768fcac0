// Base64 with the URL alphabet and without padding (RFC 7515, section 2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quantd {

std::string EncodeBase64Url(std::string_view bytes);

// Nothing for a text that EncodeBase64Url would not have made: other characters, padding, or bits after the
// last byte.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace quantd
