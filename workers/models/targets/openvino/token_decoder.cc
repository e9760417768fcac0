#include "workers/models/targets/openvino/token_decoder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "workers/models/targets/openvino/byte_pair_model.h"
#include "workers/models/targets/openvino/regex_dialect.h"
#include "workers/models/targets/openvino/text_steps.h"
#include "workers/models/targets/openvino/tokenizer_json.h"

namespace quantd {
namespace {

constexpr char kSpaceSymbol[] = "\xe2\x96\x81";

// Of all tokens together. Replacements could make texts grow without end.
constexpr size_t kMostBytes = size_t{64} << 20;

// Up to this many characters are stripped: a regular expression counts no further.
constexpr uint64_t kMostStripped = 1000;

class DecoderReader {
 public:
  explicit DecoderReader(std::vector<std::string> texts) { out_.texts = std::move(texts); }

  absl::StatusOr<TokenDecoder> Read(const Json& decoder) {
    if (decoder.is_null()) {
      SeparateTokens();
      return std::move(out_);
    }
    if (TypeOf(decoder) != "Sequence") {
      RETURN_IF_ERROR(ReadStep(decoder));
      return std::move(out_);
    }
    const Json& steps = Member(decoder, "decoders");
    if (!steps.is_array()) return BrokenTokenizer("a sequence of decoders is no list");
    for (const Json& step : steps) RETURN_IF_ERROR(ReadStep(step));
    return std::move(out_);
  }

 private:
  // Without a decoder there is a space between tokens.
  void SeparateTokens() {
    for (std::string& text : out_.texts) text += " ";
    Strip(" ", 1, "\\z");
  }

  absl::Status ReadStep(const Json& step) {
    const std::string type = TypeOf(step);
    if (type == "Fuse") {
      is_fused_ = true;
    } else if (type == "Replace") {
      return ReadReplace(step);
    } else if (type == "Strip") {
      return ReadStrip(step);
    } else if (type == "ByteLevel" && !is_fused_) {
      // What isn't spelled in letters of bytes, as added tokens, stays.
      for (std::string& text : out_.texts) text = BytesOfLetters(text).value_or(text);
    } else if (type == "ByteFallback" && !is_fused_) {
      for (std::string& text : out_.texts) {
        if (const int byte = ByteOfToken(text); byte >= 0) text = std::string(1, static_cast<char>(byte));
      }
    } else if (type == "Metaspace" && !is_fused_) {
      return ReadMetaspace(step);
    } else {
      return NoOpenVinoTokenizer(absl::StrCat("has the decoder \"", type, "\""));
    }
    return absl::OkStatus();
  }

  absl::Status ReadReplace(const Json& step) {
    const std::string pattern = TextOf(Member(Member(step, "pattern"), "String"));
    const std::string content = TextOf(Member(step, "content"));
    if (pattern.empty()) return NoOpenVinoTokenizer("has a decoder that replaces by a regular expression");
    RETURN_IF_ERROR(CheckGrowth(pattern, content));
    if (is_fused_) {
      ASSIGN_OR_RETURN(Replacement replacement, LiteralReplacement(QuoteForRegex(pattern), content));
      out_.replacements.push_back(std::move(replacement));
      return absl::OkStatus();
    }
    size_t bytes = 0;
    for (std::string& text : out_.texts)
      bytes += (text = absl::StrReplaceAll(text, {{pattern, content}})).size();
    return bytes <= kMostBytes ? absl::OkStatus() : NoOpenVinoTokenizer("has very long tokens");
  }

  absl::Status ReadStrip(const Json& step) {
    const std::string content = TextOf(Member(step, "content"));
    const Json& start = Member(step, "start");
    const Json& stop = Member(step, "stop");
    if (!is_fused_) return NoOpenVinoTokenizer("strips single tokens");
    if (content.empty() || !start.is_number_unsigned() || !stop.is_number_unsigned() ||
        start.get<uint64_t>() > kMostStripped || stop.get<uint64_t>() > kMostStripped)
      return BrokenTokenizer("what a decoder strips is no character and two small numbers");
    const std::string stripped = absl::StrCat("(?:", QuoteForRegex(content), ")");
    Strip(absl::StrCat("\\A", stripped), start.get<uint64_t>(), "");
    Strip(stripped, stop.get<uint64_t>(), "\\z");
    return absl::OkStatus();
  }

  void Strip(const std::string& what, uint64_t times, const char* where) {
    if (times == 0) return;
    out_.replacements.push_back({absl::StrCat(what, "{1,", times, "}", where), "", /*everywhere=*/false});
  }

  // The first token loses its symbols, so it must have no other than the one it begins with.
  absl::Status ReadMetaspace(const Json& step) {
    std::string symbol = TextOf(Member(step, "replacement"));
    if (symbol.empty()) symbol = kSpaceSymbol;
    const bool strips = Member(step, "prepend_scheme").is_null() ? Member(step, "add_prefix_space") != false
                                                                 : Member(step, "prepend_scheme") != "never";
    for (std::string& text : out_.texts) {
      if (strips && text.find(symbol, 1) != std::string::npos)
        return NoOpenVinoTokenizer(
            absl::StrCat("has the token \"", text, "\" and the decoder \"Metaspace\""));
      text = absl::StrReplaceAll(text, {{symbol, " "}});
    }
    if (strips) Strip("\\A ", 1, "");
    return absl::OkStatus();
  }

  bool is_fused_ = false;
  TokenDecoder out_;
};

}  // namespace

absl::StatusOr<TokenDecoder> ReadTokenDecoder(const Json& decoder, std::vector<std::string> texts,
                                              const std::vector<AddedToken>& added) {
  ASSIGN_OR_RETURN(TokenDecoder out, DecoderReader(std::move(texts)).Read(decoder));
  for (const AddedToken& token : added) {
    if (token.is_special) out.special_ids.push_back(token.id);
  }
  std::sort(out.special_ids.begin(), out.special_ids.end());
  return out;
}

}  // namespace quantd
