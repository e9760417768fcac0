#include "client/target_text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace quantd {

absl::StatusOr<v1::Target> ParseTarget(const std::string& text) {
  const auto refuse = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("target \"", text, "\" is not of the form FORMAT:SCHEME[,option=value…]"));
  };
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  const size_t colon = parts[0].find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == parts[0].size()) return refuse();
  v1::Target target;
  target.set_format(parts[0].substr(0, colon));
  target.set_scheme(parts[0].substr(colon + 1));
  for (size_t i = 1; i < parts.size(); ++i) {
    const size_t equals = parts[i].find('=');
    if (equals == std::string::npos || equals == 0) return refuse();
    v1::TargetOption* option = target.add_options();
    option->set_name(parts[i].substr(0, equals));
    option->set_value(parts[i].substr(equals + 1));
  }
  return target;
}

std::string FormatTarget(const v1::Target& target) {
  std::string text = absl::StrCat(target.format(), ":", target.scheme());
  for (const v1::TargetOption& option : target.options())
    absl::StrAppend(&text, ",", option.name(), "=", option.value());
  return text;
}

}  // namespace quantd
