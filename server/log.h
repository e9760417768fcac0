// Structured logs on stderr.
#pragma once

#include <string>

namespace quantd {

// "json": one object a line; anything else: text.
void SetUpLog(const std::string& format);

}  // namespace quantd
