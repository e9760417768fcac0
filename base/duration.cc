#include "base/duration.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace quantd {

absl::StatusOr<absl::Duration> ParseDuration(std::string_view text) {
  if (text == "0") return absl::ZeroDuration();
  const absl::string_view shown(text.data(), text.size());
  const absl::Status wrong =
      absl::InvalidArgumentError(absl::StrCat("\"", shown, "\" is no duration such as 90s, 15m, 12h or 7d"));
  int64_t number = 0;
  if (text.size() < 2 || !absl::ascii_isdigit(static_cast<unsigned char>(shown[shown.size() - 2])) ||
      !absl::SimpleAtoi(shown.substr(0, shown.size() - 1), &number) || number < 0)
    return wrong;
  constexpr absl::Duration kMost = absl::Hours(24 * 3'652'425LL);
  absl::Duration unit;
  switch (text.back()) {
    case 's':
      unit = absl::Seconds(1);
      break;
    case 'm':
      unit = absl::Minutes(1);
      break;
    case 'h':
      unit = absl::Hours(1);
      break;
    case 'd':
      unit = absl::Hours(24);
      break;
    default:
      return wrong;
  }
  // A product that is too large is infinite.
  const absl::Duration duration = unit * number;
  return duration <= kMost ? absl::StatusOr<absl::Duration>(duration) : wrong;
}

}  // namespace quantd
