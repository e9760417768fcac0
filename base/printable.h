// Text of strangers inside messages: names from model files hold whatever their makers liked.
#pragma once

#include <string>
#include <string_view>

namespace quantd {

// `text` as one line of valid UTF-8: control characters and bytes that are no UTF-8 become '?', and what
// passes `limit` bytes becomes "…".
std::string PrintableLine(std::string_view text, size_t limit);

}  // namespace quantd
