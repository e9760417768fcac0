#include "base/relative_path.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace quantd {

absl::Status CheckRelativePath(std::string_view path) {
  auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("path \"", std::string(path), "\" ", std::string(why)));
  };
  if (path.empty()) return refuse("is empty");
  if (path.size() > 1024) return absl::InvalidArgumentError("a path is longer than 1024 bytes");
  for (char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return absl::InvalidArgumentError("a path has control characters");
    if (c == '\\') return refuse("has a backslash");
  }
  for (absl::string_view part : absl::StrSplit(absl::string_view(path.data(), path.size()), '/')) {
    if (part.empty()) return refuse("is absolute or has an empty part");
    if (part == "." || part == "..") return refuse("climbs out of the folder");
  }
  return absl::OkStatus();
}

}  // namespace quantd
