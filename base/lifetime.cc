#include "base/lifetime.h"

#include <cstdint>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace quantd {

absl::StatusOr<absl::Duration> ParseLifetime(std::string_view text) {
  constexpr int64_t kMostSeconds = int64_t{100} * 366 * 24 * 3600;
  const std::string number(text.substr(0, text.empty() ? 0 : text.size() - 1));
  const std::string unit(text.substr(number.size()));
  const int64_t seconds = unit == "s"   ? 1
                          : unit == "m" ? 60
                          : unit == "h" ? 3600
                          : unit == "d" ? 24 * 3600
                                        : 0;
  int64_t count = 0;
  if (seconds == 0 || !absl::SimpleAtoi(number, &count) || count < 1 || count > kMostSeconds / seconds) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", std::string(text), "\" is no span of time: write 90d, 12h, 30m or 45s"));
  }
  return absl::Seconds(count * seconds);
}

}  // namespace quantd
