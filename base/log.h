// Structured logs on stderr, one line for each message whatever it holds.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quantd {

// Sets spdlog's default logger. "json": one object a line; anything else: text, with control characters
// escaped.
void SetUpLog(const std::string& program, const std::string& format);

// Names are the code's own, [a-z_]; values hold anything.
using LogFields = std::vector<std::pair<std::string_view, std::string>>;

// A line at level "info" with fields: keys of the object in JSON, ` name=value` after the message in text.
// Needs SetUpLog.
void LogEvent(std::string_view message, const LogFields& fields);

}  // namespace quantd
