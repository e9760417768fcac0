// FORMAT:SCHEME[,option=value…], as people write targets.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "quantd/v1/target.pb.h"

namespace quantd {

// INVALID_ARGUMENT when the text is of another form. A value may hold '=' but no ','.
absl::StatusOr<v1::Target> ParseTarget(const std::string& text);

std::string FormatTarget(const v1::Target& target);

}  // namespace quantd
