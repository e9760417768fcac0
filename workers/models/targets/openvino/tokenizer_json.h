// Reading tokenizer.json, which may hold anything.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"

namespace quantd {

// Null where there is no object, or none with this key.
inline const Json& Member(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

// Empty for what is no string.
inline std::string TextOf(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

inline std::string TypeOf(const Json& step) { return TextOf(Member(step, "type")); }

inline bool IsTrue(const Json& value) { return value.is_boolean() && value.get<bool>(); }

inline absl::Status BrokenTokenizer(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("tokenizer.json: ", what));
}

// A tokenizer that OpenVINO's operations can't express.
inline absl::Status NoOpenVinoTokenizer(const std::string& why) {
  return PreconditionFailed("tokenizer.json", absl::StrCat(why, ", which OpenVINO's tokenizer can't do"));
}

}  // namespace quantd
