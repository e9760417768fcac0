#include "base/strict_json.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

// A key that one of the objects has twice. `text` is valid JSON.
std::optional<std::string> RepeatedKey(std::string_view text) {
  std::vector<std::set<std::string>> open_objects;  // the keys of each so far, the outermost first
  std::optional<std::string> repeated;
  const Json::parser_callback_t look = [&](int /*depth*/, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == Json::parse_event_t::object_end) open_objects.pop_back();
    if (event == Json::parse_event_t::key && !open_objects.back().insert(value.get<std::string>()).second)
      repeated = value.get<std::string>();
    return true;
  };
  [[maybe_unused]] const Json parsed =
      Json::parse(text.begin(), text.end(), look, /*allow_exceptions=*/false);
  return repeated;
}

}  // namespace

absl::StatusOr<Json> ParseStrictJson(std::string_view text, std::string_view what) {
  ASSIGN_OR_RETURN(Json json, ParseJson(text, what));
  if (const std::optional<std::string> key = RepeatedKey(text); key.has_value())
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(what), ": an object has the key \"", *key, "\" twice"));
  return json;
}

}  // namespace quantd
