// Percent-encoding of URLs (RFC 3986).
#pragma once

#include <string>
#include <string_view>

namespace quantd::s3 {

// Everything but letters, digits and "-._~" becomes %XX; '/' stays when `keep_slashes`.
std::string PercentEncode(std::string_view text, bool keep_slashes);

// %XX becomes its byte; a '%' that encodes nothing stands for itself.
std::string PercentDecode(std::string_view text);

}  // namespace quantd::s3
