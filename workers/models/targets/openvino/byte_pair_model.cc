#include "workers/models/targets/openvino/byte_pair_model.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "workers/models/targets/openvino/tokenizer_json.h"

namespace quantd {
namespace {

constexpr int kBytes = 256;

// GPT-2's letters: printable bytes stand for themselves, the others are counted on from U+0100.
constexpr int kFirstOther = 0x100;

bool StandsForItself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

// By code point: the byte, or -1.
std::array<int, 2 * kBytes> MakeByteOfLetter() {
  std::array<int, 2 * kBytes> bytes;
  bytes.fill(-1);
  int others = 0;
  for (int byte = 0; byte < kBytes; ++byte)
    bytes[static_cast<size_t>(StandsForItself(byte) ? byte : kFirstOther + others++)] = byte;
  return bytes;
}

// How many bytes a character has, by its first. JSON's texts are valid UTF-8.
size_t CharacterBytes(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

std::optional<int> IdOf(const Json& id, int64_t vocabulary) {
  if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(vocabulary))
    return std::nullopt;
  return id.get<int>();
}

class ModelReader {
 public:
  ModelReader(const Json& model, const std::vector<std::string>& texts, const std::vector<AddedToken>& added,
              bool spells_bytes)
      : model_(model), texts_(texts), added_(added), spells_bytes_(spells_bytes) {}

  absl::StatusOr<BytePairModel> Read() {
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!TextOf(Member(model_, key)).empty())
        return NoOpenVinoTokenizer(absl::StrCat("marks parts of words (", key, ")"));
    }
    out_.tokens.resize(texts_.size());
    for (const AddedToken& token : added_) out_.others.emplace_back(token.content, token.id);
    RETURN_IF_ERROR(ReadMerges());
    RETURN_IF_ERROR(ReadTokens());
    return std::move(out_);
  }

 private:
  absl::Status ReadMerges() {
    const Json& merges = Member(model_, "merges");
    if (!merges.is_array() || merges.empty()) return NoOpenVinoTokenizer("has no merges");
    for (const Json& merge : merges) {
      std::string left, right;
      if (merge.is_array() && merge.size() == 2) {
        left = TextOf(merge[0]);
        right = TextOf(merge[1]);
      } else {
        const std::string both = TextOf(merge);
        const size_t space = both.find(' ');
        left = both.substr(0, space);
        if (space != std::string::npos) right = both.substr(space + 1);
      }
      if (left.empty() || right.empty())
        return BrokenTokenizer("a merge is neither \"a b\" nor [\"a\", \"b\"]");
      if (spells_bytes_) {
        ASSIGN_OR_RETURN(left, BytesOfLetters(left));
        ASSIGN_OR_RETURN(right, BytesOfLetters(right));
      }
      made_.insert(left + right);
      out_.merges.emplace_back(std::move(left), std::move(right));
    }
    return absl::OkStatus();
  }

  // Merging starts from single characters, or bytes: a longer token that no merge makes would be found in a
  // text all the same, so its text is left out.
  absl::Status ReadTokens() {
    const bool takes_whole_pieces = IsTrue(Member(model_, "ignore_merges"));
    std::unordered_set<std::string> known;
    for (const auto& [text, id] : Member(model_, "vocab").items()) {
      std::string bytes = text;
      if (spells_bytes_) {
        absl::StatusOr<std::string> spelled = BytesOfLetters(text);
        if (!spelled.ok()) continue;  // text never becomes it
        bytes = *std::move(spelled);
      }
      const auto index = id.get<size_t>();
      if (takes_whole_pieces) out_.whole_pieces.emplace_back(bytes, id.get<int>());
      if (!made_.contains(bytes) && !IsUnit(bytes)) continue;
      if (spells_bytes_ && bytes.size() == 1) ++known_bytes_;
      known.insert(bytes);
      out_.tokens[index] = std::move(bytes);
    }
    for (const auto& [text, id] : out_.others) known.insert(text);
    RETURN_IF_ERROR(ReadBytes());
    for (const auto& [left, right] : out_.merges) {
      if (!known.contains(left) || !known.contains(right) || !known.contains(left + right))
        return BrokenTokenizer(absl::StrCat("\"", absl::CHexEscape(left), "\" and \"",
                                            absl::CHexEscape(right),
                                            "\" or what they make is no token"));  // they may be any bytes
    }
    return absl::OkStatus();
  }

  bool IsUnit(const std::string& bytes) const {
    return !bytes.empty() && bytes.size() == (spells_bytes_ ? 1 : CharacterBytes(bytes[0]));
  }

  // OpenVINO's operation makes as many unknown tokens of a character as it has bytes, and finds "<0x0A>" in
  // texts that have these letters. Single bytes as tokens do both right.
  absl::Status ReadBytes() {
    if (IsTrue(Member(model_, "byte_fallback"))) {
      for (size_t id = 0; id < texts_.size(); ++id) {
        const int byte = ByteOfToken(texts_[id]);
        if (byte < 0) continue;
        out_.others.emplace_back(std::string(1, static_cast<char>(byte)), static_cast<int32_t>(id));
        ++known_bytes_;
      }
    }
    const bool may_miss_some = Member(model_, "unk_token").is_null() && (spells_bytes_ || known_bytes_ == 0);
    if (known_bytes_ >= kBytes || may_miss_some) return absl::OkStatus();
    return NoOpenVinoTokenizer("has a token for unknown characters");
  }

  const Json& model_;
  const std::vector<std::string>& texts_;
  const std::vector<AddedToken>& added_;
  const bool spells_bytes_;
  int known_bytes_ = 0;
  std::unordered_set<std::string> made_;  // what merges make
  BytePairModel out_;
};

}  // namespace

absl::StatusOr<std::string> BytesOfLetters(std::string_view text) {
  static const std::array<int, 2 * kBytes> kByteOfLetter = MakeByteOfLetter();
  std::string bytes;
  while (!text.empty()) {
    const size_t size = std::min(CharacterBytes(text[0]), text.size());
    int code_point = static_cast<unsigned char>(text[0]);
    if (size == 2) code_point = (code_point & 0x1f) << 6 | (static_cast<unsigned char>(text[1]) & 0x3f);
    const bool is_letter = size <= 2 && code_point < 2 * kBytes;
    const int byte = is_letter ? kByteOfLetter[static_cast<size_t>(code_point)] : -1;
    if (byte < 0)
      return NoOpenVinoTokenizer(
          absl::StrCat("has \"", std::string(text), "\" among letters that stand for bytes"));
    bytes.push_back(static_cast<char>(byte));
    text.remove_prefix(size);
  }
  return bytes;
}

int ByteOfToken(std::string_view text) {
  int byte = -1;
  const bool is_byte = text.size() == 6 && text.starts_with("<0x") && text.ends_with(">") &&
                       absl::SimpleHexAtoi(std::string(text.substr(3, 2)), &byte);
  return is_byte ? byte : -1;
}

absl::StatusOr<std::vector<std::string>> ReadVocabulary(const Json& tokenizer,
                                                        const std::vector<AddedToken>& added,
                                                        int64_t vocabulary) {
  const Json& model = Member(tokenizer, "model");
  const std::string type =
      Member(model, "type").is_null() ? "BPE" : TypeOf(model);  // old versions leave it out
  const Json& vocab = Member(model, "vocab");
  if (type != "BPE" || !vocab.is_object())
    return NoOpenVinoTokenizer(absl::StrCat("has a model of type \"", type, "\""));
  std::vector<std::string> texts;
  std::vector<bool> is_taken;
  const auto add = [&](const std::string& text, size_t id) {
    if (id >= texts.size()) {
      texts.resize(id + 1);
      is_taken.resize(id + 1);
    }
    if (is_taken[id] && texts[id] != text)
      return BrokenTokenizer(absl::StrCat("\"", texts[id], "\" and \"", text, "\" have the same id ", id));
    texts[id] = text;
    is_taken[id] = true;
    return absl::OkStatus();
  };
  for (const auto& [text, id] : vocab.items()) {
    const std::optional<int> index = IdOf(id, vocabulary);
    if (!index.has_value()) {
      return BrokenTokenizer(absl::StrCat("the token \"", text, "\" has the id ", id.dump(),
                                          ", but the model has ", vocabulary, " tokens"));
    }
    RETURN_IF_ERROR(add(text, static_cast<size_t>(*index)));
  }
  for (const AddedToken& token : added) RETURN_IF_ERROR(add(token.content, static_cast<size_t>(token.id)));
  return texts;
}

absl::StatusOr<BytePairModel> ReadBytePairModel(const Json& tokenizer, const std::vector<std::string>& texts,
                                                const std::vector<AddedToken>& added, bool spells_bytes) {
  return ModelReader(Member(tokenizer, "model"), texts, added, spells_bytes).Read();
}

}  // namespace quantd
