#include "workers/models/targets/openvino/regex_dialect.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

// Oniguruma's word characters: Alphabetic, marks, decimal digits and connectors.
constexpr char kWordOfClass[] =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";

// Captures are allowed too: no operation reads them.
constexpr std::string_view kGroups[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"};

bool IsAlphanumeric(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); }

class Translator {
 public:
  explicit Translator(std::string_view expression) : whole_(expression), rest_(expression) {}

  absl::StatusOr<std::string> Translate() {
    while (!rest_.empty()) RETURN_IF_ERROR(TranslateNext());
    if (open_groups_ != 0) return Unknown("a group without an end");
    return std::move(out_);
  }

 private:
  absl::Status TranslateNext() {
    switch (rest_[0]) {
      case '\\':
        return TranslateEscape(/*in_class=*/false);
      case '[':
        return TranslateClass();
      case '(':
        return TranslateGroup();
      case ')':
        if (--open_groups_ < 0) return Unknown(")");
        Copy(1);
        return absl::OkStatus();
      case '{':
        return TranslateInterval();
      case '.':
        Replace(1, "[^\\n]");
        return absl::OkStatus();
      case '^':  // Ruby's are those of lines
      case '$':
        Replace(1, rest_[0] == '^' ? "(?m:^)" : "(?m:$)");
        return absl::OkStatus();
      default:
        Copy(1);
        return absl::OkStatus();
    }
  }

  absl::Status TranslateGroup() {
    ++open_groups_;
    if (rest_.substr(0, 2) != "(?") {
      Copy(1);
      return absl::OkStatus();
    }
    for (std::string_view group : kGroups) {
      if (!rest_.starts_with(group)) continue;
      Copy(group.size());
      return absl::OkStatus();
    }
    return Unknown(rest_.substr(0, 4));
  }

  // {2}, {2,} and {2,3}. A + or ? behind one means something else to each dialect.
  absl::Status TranslateInterval() {
    const size_t end = rest_.find('}');
    const std::string_view interval = rest_.substr(0, end == std::string_view::npos ? end : end + 1);
    const bool is_number = interval.find_first_not_of("{}0123456789,") == std::string_view::npos &&
                           interval.size() > 2 && interval[1] != ',';
    const std::string_view behind = rest_.substr(interval.size(), 1);
    if (end == std::string_view::npos || !is_number || behind == "+" || behind == "?")
      return Unknown(rest_.substr(0, interval.size() + behind.size()));
    Copy(interval.size());
    return absl::OkStatus();
  }

  absl::Status TranslateClass() {
    class_ = rest_.substr(0, rest_.find(']'));
    Copy(rest_.starts_with("[^") ? 2 : 1);
    if (rest_.starts_with("]")) return Unknown("[]");
    while (!rest_.empty() && rest_[0] != ']') {
      if (rest_[0] == '[' || rest_.starts_with("&&")) return Unknown("a class within a class");
      if (rest_[0] == '\\') {
        RETURN_IF_ERROR(TranslateEscape(/*in_class=*/true));
      } else {
        Copy(1);
      }
    }
    if (rest_.empty()) return Unknown("a class without an end");
    Copy(1);
    return absl::OkStatus();
  }

  absl::Status TranslateEscape(bool in_class) {
    if (rest_.size() < 2) return Unknown("\\");
    const char kind = rest_[1];
    switch (kind) {
      case 's':
        Replace(2, in_class ? kWhiteSpaceOfClass : absl::StrCat("[", kWhiteSpaceOfClass, "]"));
        return absl::OkStatus();
      case 'w':
        Replace(2, in_class ? kWordOfClass : absl::StrCat("[", kWordOfClass, "]"));
        return absl::OkStatus();
      case 'S':
      case 'W':
        if (in_class) return TranslateNegationInClass();
        Replace(2, absl::StrCat("[^", kind == 'S' ? kWhiteSpaceOfClass : kWordOfClass, "]"));
        return absl::OkStatus();
      case 'v':  // vertical tabulation; PCRE2's is any end of line
        Replace(2, "\\x{0b}");
        return absl::OkStatus();
      case 'p':
      case 'P':
        return CopyProperty();
      case 'x':
        return CopyCodePoint();
      case 'u':
        return TranslateCodePoint();
      default:
        break;
    }
    const bool is_known = std::string_view("rntdD").find(kind) != std::string_view::npos ||
                          (!in_class && std::string_view("Az").find(kind) != std::string_view::npos);
    if (!is_known && (IsAlphanumeric(kind) || static_cast<unsigned char>(kind) >= 0x80))
      return Unknown(rest_.substr(0, 2));
    Copy(2);
    return absl::OkStatus();
  }

  // [\s\S] and the like are how expressions say "any character": beside its opposite nothing is lost.
  absl::Status TranslateNegationInClass() {
    const std::string opposite = rest_[1] == 'S' ? "\\s" : "\\w";
    if (class_.find(opposite) == std::string_view::npos) return Unknown(rest_.substr(0, 2));
    Copy(2);
    return absl::OkStatus();
  }

  // \p{L}
  absl::Status CopyProperty() {
    const size_t end = rest_.find('}');
    const std::string_view property = rest_.substr(0, end == std::string_view::npos ? 3 : end + 1);
    bool is_name = end != std::string_view::npos && rest_[2] == '{' && property.size() > 4;
    for (char c : property.substr(is_name ? 3 : property.size(), property.size() - 4))
      is_name = is_name && (IsAlphanumeric(c) || c == '_');
    if (!is_name) return Unknown(property);
    Copy(property.size());
    return absl::OkStatus();
  }

  // \x{3000}
  absl::Status CopyCodePoint() {
    const size_t end = rest_.find('}');
    if (rest_.substr(0, 3) != "\\x{" || end == std::string_view::npos ||
        !AreHexadecimal(rest_.substr(3, end - 3)))
      return Unknown(rest_.substr(0, 4));
    Copy(end + 1);
    return absl::OkStatus();
  }

  // \u3000
  absl::Status TranslateCodePoint() {
    const std::string digits(rest_.substr(2, 4));
    if (digits.size() != 4 || !AreHexadecimal(digits)) return Unknown(rest_.substr(0, 6));
    Replace(6, absl::StrCat("\\x{", digits, "}"));
    return absl::OkStatus();
  }

  static bool AreHexadecimal(std::string_view digits) {
    return !digits.empty() && digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  }

  void Copy(size_t size) { Replace(size, rest_.substr(0, size)); }

  void Replace(size_t size, std::string_view text) {
    out_.append(text);
    rest_.remove_prefix(size);
  }

  // Escaped, because it may end within a character.
  absl::Status Unknown(std::string_view what) const {
    return absl::FailedPreconditionError(
        absl::StrCat("a regular expression has \"", absl::CHexEscape(std::string(what)), "\" at ",
                     whole_.size() - rest_.size(), ", which can't be written for OpenVINO's tokenizer"));
  }

  std::string_view whole_;
  std::string_view rest_;
  std::string_view class_;  // the class that is being translated
  std::string out_;
  int open_groups_ = 0;
};

}  // namespace

absl::StatusOr<std::string> ToPcre(std::string_view expression) { return Translator(expression).Translate(); }

std::string QuoteForRegex(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool is_literal = IsAlphanumeric(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
    if (!is_literal) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

}  // namespace quantd
