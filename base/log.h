// Structured logs on stderr, one line for each message whatever it holds.
#pragma once

#include <string>

namespace quantd {

// Sets spdlog's default logger. "json": one object a line; anything else: text, with control characters
// escaped.
void SetUpLog(const std::string& program, const std::string& format);

}  // namespace quantd
