#include "workers/models/targets/openvino/text_steps.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "workers/models/targets/openvino/regex_dialect.h"
#include "workers/models/targets/openvino/tokenizer_json.h"

namespace quantd {
namespace {

// GPT-2's, which ByteLevel splits by unless it is told not to.
constexpr char kWords[] = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

constexpr char kSpaceSymbol[] = "\xe2\x96\x81";

// The text of a substitution may be this many times longer than what it replaces: the operation doesn't make
// room for more, and leaves the text as it is.
constexpr size_t kMostGrowth = 4;

// Replacements could make an added token grow without end.
constexpr size_t kLongestNormalized = size_t{1} << 16;

// The steps of a Sequence, or the step itself; none for null.
std::vector<Json> Steps(const Json& step, const char* key) {
  if (step.is_null()) return {};
  if (TypeOf(step) != "Sequence") return {step};
  const Json& steps = Member(step, key);
  return steps.is_array() ? steps.get<std::vector<Json>>() : std::vector<Json>();
}

std::string UnicodeFormOf(const std::string& type) {
  for (const char* form : {"NFC", "NFD", "NFKC", "NFKD"}) {
    if (type == form) return absl::AsciiStrToLower(type);
  }
  return "";
}

absl::Status Unsupported(const char* kind, const Json& step) {
  return NoOpenVinoTokenizer(absl::StrCat("has the ", kind, " \"", TypeOf(step), "\""));
}

// `text` before a piece that begins with none of the characters of the class `unless`. Pieces of no
// characters get nothing.
absl::StatusOr<Replacement> Prefix(const std::string& text, const std::string& unless) {
  ASSIGN_OR_RETURN(Replacement prefix, LiteralReplacement(R"(\A)", text));
  absl::StrAppend(&prefix.pattern, unless.empty() ? R"((?=[\s\S]))" : absl::StrCat("(?=[^", unless, "])"));
  prefix.everywhere = false;
  return prefix;
}

class PreTokenizerReader {
 public:
  absl::StatusOr<PreTokenizer> Read(const Json& pre_tokenizer) {
    for (const Json& step : Steps(pre_tokenizer, "pretokenizers")) {
      const std::string type = TypeOf(step);
      if (type == "Digits") {
        AddSplit(IsTrue(Member(step, "individual_digits")) ? R"(\p{N})" : R"(\p{N}+)");
      } else if (type == "ByteLevel") {
        RETURN_IF_ERROR(AddByteLevel(step));
      } else if (type == "Split") {
        RETURN_IF_ERROR(AddSplitStep(step));
      } else if (type == "Metaspace") {
        RETURN_IF_ERROR(AddMetaspace(step));
      } else {
        return Unsupported("pre-tokenizer", step);
      }
    }
    return std::move(out_);
  }

 private:
  void AddSplit(std::string pattern, Split::Keep keep = Split::kAll) {
    out_.steps.push_back(Split{std::move(pattern), keep});
  }

  absl::Status AddByteLevel(const Json& step) {
    out_.spells_bytes = true;
    if (IsTrue(Member(step, "add_prefix_space"))) {
      ASSIGN_OR_RETURN(Replacement prefix, Prefix(" ", " "));
      out_.steps.push_back(std::move(prefix));
    }
    if (Member(step, "use_regex") == false) return absl::OkStatus();
    ASSIGN_OR_RETURN(std::string words, ToPcre(kWords));
    AddSplit(std::move(words));
    return absl::OkStatus();
  }

  // Every behaviour is a cut before and after each match of an expression that has taken in the neighbours.
  absl::Status AddSplitStep(const Json& step) {
    ASSIGN_OR_RETURN(const std::string pattern, ReadPattern(Member(step, "pattern")));
    const std::string match = absl::StrCat("(?:", pattern, ")");
    const std::string rest = absl::StrCat("(?:(?!", pattern, ")[\\s\\S])*+");
    const std::string behavior = TextOf(Member(step, "behavior"));
    const bool inverts = IsTrue(Member(step, "invert"));
    if (behavior == "Isolated") {
      AddSplit(pattern);
    } else if (behavior == "Contiguous") {
      AddSplit(absl::StrCat(match, "+"));
    } else if (behavior == "Removed") {
      AddSplit(pattern, inverts ? Split::kMatches : Split::kRest);
    } else if (behavior == "MergedWithPrevious" && !inverts) {
      AddSplit(absl::StrCat(rest, "(?:", pattern, "|\\z)"));
    } else if (behavior == "MergedWithNext" && !inverts) {
      AddSplit(absl::StrCat(match, rest));
    } else {
      return NoOpenVinoTokenizer(
          absl::StrCat("splits with the behavior \"", behavior, "\" and invert ", inverts));
    }
    return absl::OkStatus();
  }

  absl::Status AddMetaspace(const Json& step) {
    std::string symbol = TextOf(Member(step, "replacement"));
    if (symbol.empty()) symbol = kSpaceSymbol;
    std::string scheme = TextOf(Member(step, "prepend_scheme"));
    if (scheme.empty()) scheme = Member(step, "add_prefix_space") == false ? "never" : "always";
    if (scheme == "first" && !out_.steps.empty())
      return NoOpenVinoTokenizer("puts a prefix before the first of several pieces");
    ASSIGN_OR_RETURN(Replacement spaces, LiteralReplacement(" ", symbol));
    out_.steps.push_back(std::move(spaces));
    if (scheme == "first") {
      out_.prefix_of_text = symbol;
    } else if (scheme == "always") {
      ASSIGN_OR_RETURN(Replacement prefix, Prefix(symbol, QuoteForRegex(symbol)));
      out_.steps.push_back(std::move(prefix));
    } else if (scheme != "never") {
      return BrokenTokenizer(absl::StrCat("the prepend_scheme \"", scheme, "\" is not known"));
    }
    const std::string quoted = QuoteForRegex(symbol);
    if (Member(step, "split") != false) AddSplit(absl::StrCat(quoted, "[^", quoted, "]*"));
    return absl::OkStatus();
  }

  PreTokenizer out_;
};

}  // namespace

absl::StatusOr<std::string> ReadPattern(const Json& pattern) {
  const std::string text = TextOf(Member(pattern, "String"));
  if (!text.empty()) return QuoteForRegex(text);
  const std::string expression = TextOf(Member(pattern, "Regex"));
  if (expression.empty()) return BrokenTokenizer("a pattern is neither a text nor a regular expression");
  absl::StatusOr<std::string> translated = ToPcre(expression);
  if (!translated.ok())
    return PreconditionFailed("tokenizer.json", std::string(translated.status().message()));
  return translated;
}

absl::Status CheckGrowth(std::string_view replaced, std::string_view text) {
  if (text.size() <= kMostGrowth * std::max<size_t>(1, replaced.size())) return absl::OkStatus();
  return NoOpenVinoTokenizer("replaces a text by a much longer one");
}

absl::StatusOr<Replacement> LiteralReplacement(std::string pattern, const std::string& text) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '\\' && absl::ascii_isdigit(static_cast<unsigned char>(text[i + 1])))
      return NoOpenVinoTokenizer(absl::StrCat("replaces by \"", text, "\""));
  }
  return Replacement{std::move(pattern), absl::StrReplaceAll(text, {{"$", "$$"}})};
}

absl::StatusOr<std::vector<TextStep>> ReadNormalizer(const Json& normalizer) {
  std::vector<TextStep> steps;
  for (const Json& step : Steps(normalizer, "normalizers")) {
    const std::string type = TypeOf(step);
    if (const std::string form = UnicodeFormOf(type); !form.empty()) {
      steps.push_back(UnicodeForm{form});
    } else if (type == "Prepend") {
      ASSIGN_OR_RETURN(Replacement prefix, Prefix(TextOf(Member(step, "prepend")), ""));
      steps.push_back(std::move(prefix));
    } else if (type == "Replace") {
      const Json& pattern = Member(step, "pattern");
      const std::string content = TextOf(Member(step, "content"));
      ASSIGN_OR_RETURN(std::string expression, ReadPattern(pattern));
      RETURN_IF_ERROR(CheckGrowth(TextOf(Member(pattern, "String")), content));
      ASSIGN_OR_RETURN(Replacement replacement, LiteralReplacement(std::move(expression), content));
      steps.push_back(std::move(replacement));
    } else {
      return Unsupported("normalizer", step);
    }
  }
  return steps;
}

absl::StatusOr<std::string> Normalize(const Json& normalizer, std::string text) {
  for (const Json& step : Steps(normalizer, "normalizers")) {
    if (text.size() > kLongestNormalized) return NoOpenVinoTokenizer("has a very long added token");
    const Json& pattern = Member(Member(step, "pattern"), "String");
    if (TypeOf(step) == "Prepend") {
      text.insert(0, TextOf(Member(step, "prepend")));
    } else if (TypeOf(step) == "Replace" && pattern.is_string()) {
      absl::StrReplaceAll({{TextOf(pattern), TextOf(Member(step, "content"))}}, &text);
    } else if (UnicodeFormOf(TypeOf(step)).empty() || std::any_of(text.begin(), text.end(), [](char c) {
                 return static_cast<unsigned char>(c) >= 0x80;
               })) {
      return NoOpenVinoTokenizer(
          absl::StrCat("has the added token \"", text, "\", which is looked for in normalized text"));
    }
  }
  return text;
}

absl::StatusOr<PreTokenizer> ReadPreTokenizer(const Json& pre_tokenizer) {
  return PreTokenizerReader().Read(pre_tokenizer);
}

}  // namespace quantd
