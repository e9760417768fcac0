#include "workers/models/targets/model_name.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace quantd {
namespace {

enum class Kind { kBasename, kSizeLabel, kFinetune, kVersion, kType };

struct Part {
  std::string text;
  std::set<Kind> kinds;
  bool Is(Kind kind) const { return kinds.count(kind) > 0; }
};

bool Matches(const std::string& text, const std::string& expression) {
  return RE2::FullMatch(text, RE2("(?i)" + expression));
}

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }

// "7b" → "7B", "1_5B" → "1.5B", "7b1" → "7.1B".
std::string NormalizeSize(std::string size) {
  std::replace(size.begin(), size.end(), '_', '.');
  if (IsDigit(size.back()) && size.size() >= 2) {
    size = absl::StrCat(size.substr(0, size.size() - 2), ".", size.substr(size.size() - 1),
                        size.substr(size.size() - 2, 1));
  }
  if (size.size() > 1 && IsDigit(size[size.size() - 2]) &&
      std::string("kmbt").find(size.back()) != std::string::npos) {
    size.back() = absl::ascii_toupper(static_cast<unsigned char>(size.back()));
  }
  return size;
}

// Whether a size in the name can't be the model's: likely a context length.
bool IsFarFrom(const std::string& size, int64_t parameters) {
  const size_t power = std::string(" KMBT").find(size.back());
  char* end = nullptr;
  const double mantissa = std::strtod(size.c_str(), &end);
  if (parameters == 0 || power == std::string::npos || end != size.c_str() + size.size() - 1) return false;
  const double label = mantissa * std::pow(1000.0, static_cast<double>(power));
  return std::fabs(label - static_cast<double>(parameters)) >
         std::floor(7.0 * static_cast<double>(parameters) / 8.0);
}

void Annotate(Part& part, bool first, int64_t parameters) {
  if (Matches(part.text, R"((v|iter)?\d+([.]\d+)*)")) {
    part.kinds.insert(Kind::kVersion);
  } else if (Matches(part.text, R"(i?q\d(_\w)*|b?fp?(16|32))")) {
    part.kinds.insert(Kind::kType);
    absl::AsciiStrToUpper(&part.text);
  } else if (!first &&
             Matches(part.text, R"((([A]|\d+[x])?\d+([._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl))")) {
    part.text = NormalizeSize(part.text);
    if (IsFarFrom(part.text, parameters)) {
      part.kinds.insert(Kind::kFinetune);
      part.text.back() = absl::ascii_tolower(static_cast<unsigned char>(part.text.back()));
    } else {
      part.kinds.insert(Kind::kSizeLabel);
    }
  } else if (!first && Matches(part.text, "chat|instruct|vision|lora")) {
    part.kinds.insert(Kind::kFinetune);
  }
}

// A size in words says nothing beside one in numbers.
void DropWordsBesideNumbers(std::vector<Part>& parts) {
  const auto has_digit = [](const std::string& text) {
    return std::any_of(text.begin(), text.end(), IsDigit);
  };
  const bool numbers = std::any_of(parts.begin(), parts.end(), [&](const Part& part) {
    return part.Is(Kind::kSizeLabel) && has_digit(part.text);
  });
  for (Part& part : parts) {
    const bool word = std::all_of(part.text.begin(), part.text.end(),
                                  [](char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)); });
    if (numbers && word) part.kinds.erase(Kind::kSizeLabel);
  }
}

void FindBasename(std::vector<Part>& parts) {
  bool at_start = true;
  for (Part& part : parts) {
    const bool word = part.kinds.empty() && absl::ascii_isalpha(static_cast<unsigned char>(part.text[0]));
    if (at_start && (word || part.Is(Kind::kVersion))) {
      part.kinds.insert(Kind::kBasename);
      continue;
    }
    at_start = false;
    if (part.kinds.empty()) part.kinds.insert(Kind::kFinetune);
  }
  for (auto part = parts.rbegin();
       part != parts.rend() && part->Is(Kind::kBasename) && part->kinds.size() > 1; ++part) {
    part->kinds.erase(Kind::kBasename);
  }
}

std::string Join(const std::vector<Part>& parts, Kind kind) {
  std::vector<std::string> texts;
  for (const Part& part : parts) {
    if (!part.Is(kind)) continue;
    if (kind == Kind::kVersion && part.Is(Kind::kBasename)) continue;
    if (kind == Kind::kSizeLabel && std::find(texts.begin(), texts.end(), part.text) != texts.end()) continue;
    texts.push_back(part.text);
  }
  return absl::StrJoin(texts, "-");
}

// Words in lower case get a capital after every non-letter, as Python's title() does; versions stay.
std::string Title(const std::string& name) {
  std::vector<std::string> words;
  for (absl::string_view piece :
       absl::StrSplit(absl::StrReplaceAll(name, {{"-", " "}}), ' ', absl::SkipWhitespace())) {
    std::string word(piece);
    const bool lower = absl::AsciiStrToLower(word) == word && absl::AsciiStrToUpper(word) != word;
    if (lower && !RE2::FullMatch(word, R"(v\d+(?:\.\d+)*|\d.*)")) {
      bool after_letter = false;
      for (char& c : word) {
        const bool letter = absl::ascii_isalpha(static_cast<unsigned char>(c));
        if (letter && !after_letter) c = absl::ascii_toupper(static_cast<unsigned char>(c));
        after_letter = letter;
      }
    }
    words.push_back(std::move(word));
  }
  return absl::StrJoin(words, " ");
}

}  // namespace

ModelNameParts SplitModelName(const std::string& name, int64_t parameters) {
  ModelNameParts out;
  if (name.find(' ') != std::string::npos) {
    out.name = name;
    return out;
  }
  std::string model = name;
  if (const size_t slash = name.find('/'); slash != std::string::npos) {
    model = name.substr(slash + 1);
    if (slash > 0 && name[0] != '.') out.organization = Title(name.substr(0, slash));
  }
  std::vector<Part> parts;
  for (absl::string_view piece : absl::StrSplit(model, '-', absl::SkipEmpty())) {
    parts.push_back({std::string(piece), {}});
    Annotate(parts.back(), parts.size() == 1, parameters);
  }
  DropWordsBesideNumbers(parts);
  FindBasename(parts);
  out.name = Title(model);
  out.finetune = Join(parts, Kind::kFinetune);
  out.version = Join(parts, Kind::kVersion);
  out.size_label = Join(parts, Kind::kSizeLabel);
  // A name without any other part is too ambiguous to call a basename.
  if (!out.finetune.empty() || !out.version.empty() || !out.size_label.empty())
    out.basename = Join(parts, Kind::kBasename);
  return out;
}

std::string SizeLabel(int64_t parameters) {
  constexpr std::pair<double, char> kUnits[] = {{1e12, 'T'}, {1e9, 'B'}, {1e6, 'M'}};
  double scaled = static_cast<double>(parameters) * 1e-3;
  char suffix = 'K';
  for (const auto& [unit, letter] : kUnits) {
    if (static_cast<double>(parameters) <= unit) continue;
    scaled = static_cast<double>(parameters) / unit;
    suffix = letter;
    break;
  }
  // Two significant digits before the point need none after it. (nearbyint rounds ties to even, as Python's
  // round.)
  const int digits =
      scaled < 0.5 ? 0 : static_cast<int>(absl::StrCat(static_cast<int64_t>(std::nearbyint(scaled))).size());
  return absl::StrFormat("%.*f%c", std::max(2 - digits, 0), scaled, suffix);
}

}  // namespace quantd
