#include "workers/models/targets/openvino/tokenizer_graph.h"

#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "workers/models/targets/openvino/ir_builder.h"
#include "workers/models/targets/openvino/tokenizer_json.h"

namespace quantd {
namespace {

constexpr char kExtension[] = "extension";  // where the runtime finds operations that are in no opset

// Lengths are cut to this: not at all. The runtime adds small numbers to it, and counts in I32.
constexpr int32_t kUnlimited = 1 << 30;

constexpr IrType kI32 = IrType::kI32;

// Texts as OpenVINO's operations take them: where each begins and ends among the bytes of all.
struct Strings {
  IrPort begins, ends, bytes;
};

// Rows of pieces of text: the pieces that a row begins and ends with, and whether each piece is an added
// token, which all steps leave alone.
struct Pieces {
  IrPort row_begins, row_ends;
  Strings texts;
  IrPort is_added;
};

// Rows of token ids.
struct Tokens {
  IrPort begins, ends, ids;
};

std::vector<IrPort> Ports(const Strings& texts) { return {texts.begins, texts.ends, texts.bytes}; }

std::vector<IrPort> Ports(const Pieces& pieces) {
  return {pieces.row_begins, pieces.row_ends,    pieces.texts.begins,
          pieces.texts.ends, pieces.texts.bytes, pieces.is_added};
}

class TextGraph {
 public:
  absl::StatusOr<IrModel> MakeTokenizer(const TokenizerSteps& steps, int32_t padding_id) {
    const IrPort input = ir_.Add({.type = "Parameter",
                                  .version = "opset1",
                                  .attributes = {{"shape", "?"}, {"element_type", "string"}},
                                  .outputs = {{IrType::kString, "string_input"}}});
    Strings texts = StringsAt(ir_.Add({.type = "StringTensorUnpack",
                                       .version = "opset15",
                                       .inputs = {input},
                                       .outputs = {{kI32}, {kI32}, {IrType::kU8}}}));
    for (const Replacement& step : steps.whole_text) texts = StringsAt(AddReplacement(step, Ports(texts)));
    Pieces pieces = CutAddedTokens(RowsOf(texts), steps.added_tokens);
    for (const TextStep& step : steps.normalizer) AddStep(step, pieces);
    if (!steps.all_added_tokens.empty()) {
      const std::vector<IrPort> ports = Ports(pieces);
      pieces = CutAddedTokens({ports.begin(), ports.end() - 1}, steps.all_added_tokens);
    }
    for (const TextStep& step : steps.pre_tokenizer) AddStep(step, pieces);
    ASSIGN_OR_RETURN(const Tokens tokens, Merge(steps.model, pieces));
    AddResults(Surround(tokens, steps), padding_id);
    return ir_.Take("tokenizer");
  }

  absl::StatusOr<IrModel> MakeDetokenizer(const TokenDecoder& decoder) {
    const IrPort input = ir_.Add({.type = "Parameter",
                                  .version = "opset1",
                                  .attributes = {{"shape", "?,?"}, {"element_type", "i64"}},
                                  .outputs = {{IrType::kI64, "token_ids"}}});
    std::vector<IrPort> inputs = {ir_.Convert(input, kI32)};
    ASSIGN_OR_RETURN(const Strings vocabulary, Texts(decoder.texts));
    Append(Ports(vocabulary), inputs);
    // The runtime puts a switch before this input.
    if (!decoder.special_ids.empty()) inputs.push_back(Numbers(decoder.special_ids));
    const IrPort rows = ir_.Add({.type = "VocabDecoder",
                                 .version = kExtension,
                                 .attributes = {{"skip_tokens", ""}},
                                 .inputs = inputs,
                                 .outputs = {{kI32}, {kI32}, {kI32}, {kI32}, {IrType::kU8}}});
    const IrPort fused = ir_.Add(
        {.type = "FuzeRagged",
         .version = kExtension,
         .inputs = {rows, IrBuilder::Output(rows, 1), IrBuilder::Output(rows, 2), IrBuilder::Output(rows, 3)},
         .outputs = {{kI32}, {kI32}}});
    Strings texts =
        StringsAt(ir_.Add({.type = "UTF8Validate",
                           .version = kExtension,
                           .attributes = {{"replace_mode", "true"}},
                           .inputs = {fused, IrBuilder::Output(fused, 1), IrBuilder::Output(rows, 4)},
                           .outputs = {{kI32}, {kI32}, {IrType::kU8}}}));
    for (const Replacement& step : decoder.replacements)
      texts = StringsAt(AddReplacement(step, Ports(texts)));
    AddResult(ir_.Add({.type = "StringTensorPack",
                       .version = "opset15",
                       .inputs = Ports(texts),
                       .outputs = {{IrType::kString, "string_output"}}}));
    return ir_.Take("detokenizer");
  }

 private:
  static Strings StringsAt(IrPort first) {
    return {first, IrBuilder::Output(first, first.output + 1), IrBuilder::Output(first, first.output + 2)};
  }

  static Pieces PiecesAt(IrPort first) {
    return {first, IrBuilder::Output(first, 1), StringsAt(IrBuilder::Output(first, 2)),
            IrBuilder::Output(first, 5)};
  }

  static void Append(const std::vector<IrPort>& more, std::vector<IrPort>& inputs) {
    inputs.insert(inputs.end(), more.begin(), more.end());
  }

  IrPort Constant(IrType type, std::vector<int64_t> shape, std::string bytes) {
    return ir_.Add({.type = "Const",
                    .version = "opset1",
                    .outputs = {{type}},
                    .constant = IrConstant{std::move(shape), std::move(bytes)}});
  }

  IrPort Text(const std::string& text) {
    return Constant(IrType::kU8, {static_cast<int64_t>(text.size())}, text);
  }

  IrPort Numbers(std::span<const int32_t> values) {
    return Constant(kI32, {static_cast<int64_t>(values.size())},
                    std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes()));
  }

  IrPort Number(int32_t value) { return ir_.Integer32(value); }

  absl::StatusOr<Strings> Texts(const std::vector<std::string>& texts) {
    std::vector<int32_t> begins, ends;
    std::string bytes;
    for (const std::string& text : texts) {
      if (text.size() > std::numeric_limits<int32_t>::max() - bytes.size())
        return NoOpenVinoTokenizer("has more than 2 GiB of tokens");
      begins.push_back(static_cast<int32_t>(bytes.size()));
      bytes += text;
      ends.push_back(static_cast<int32_t>(bytes.size()));
    }
    return Strings{Numbers(begins), Numbers(ends), Text(bytes)};
  }

  // Each text is a row of one piece.
  std::vector<IrPort> RowsOf(const Strings& texts) {
    const IrPort zero = Number(0), one = Number(1);
    const IrPort count = CountOf(texts.begins);
    const IrPort begins = Range(zero, count, one);
    const IrPort ends = Range(one, ir_.Elementwise("Add", count, one), one);
    std::vector<IrPort> rows = {begins, ends};
    Append(Ports(texts), rows);
    return rows;
  }

  // How many elements a list has: I32, a scalar.
  IrPort CountOf(IrPort list) {
    const IrPort shape = ir_.Add({.type = "ShapeOf",
                                  .version = "opset3",
                                  .attributes = {{"output_type", "i32"}},
                                  .inputs = {list},
                                  .outputs = {{kI32}}});
    const IrPort first = Number(0);
    return ir_.Gather(shape, first, first);
  }

  IrPort Range(IrPort begin, IrPort end, IrPort step) {
    return ir_.Add({.type = "Range",
                    .version = "opset4",
                    .attributes = {{"output_type", "i32"}},
                    .inputs = {begin, end, step},
                    .outputs = {{kI32}}});
  }

  IrPort AddPieceOperation(const char* type, IrAttributes attributes, std::vector<IrPort> inputs) {
    return ir_.Add({.type = type,
                    .version = kExtension,
                    .attributes = std::move(attributes),
                    .inputs = std::move(inputs),
                    .outputs = {{kI32}, {kI32}, {kI32}, {kI32}, {IrType::kU8}, {IrType::kBoolean}}});
  }

  // The operation would take flags as well, but then it fails to load.
  Pieces CutAddedTokens(std::vector<IrPort> rows, const std::string& pattern) {
    rows.push_back(Text(pattern));
    return PiecesAt(AddPieceOperation("SpecialTokensSplit", {}, std::move(rows)));
  }

  void AddStep(const TextStep& step, Pieces& pieces) {
    if (const auto* split = std::get_if<Split>(&step)) {
      AddSplit(*split, pieces);
      return;
    }
    std::vector<IrPort> inputs = Ports(pieces.texts);
    inputs.push_back(pieces.is_added);
    const auto* replacement = std::get_if<Replacement>(&step);
    const IrPort changed = replacement != nullptr
                               ? AddReplacement(*replacement, std::move(inputs))
                               : AddUnicodeForm(std::get<UnicodeForm>(step), std::move(inputs));
    pieces.texts = StringsAt(changed);
    pieces.is_added = IrBuilder::Output(changed, 3);
  }

  void AddSplit(const Split& split, Pieces& pieces) {
    const bool drops = split.keep != Split::kAll;
    std::vector<IrPort> inputs = Ports(pieces);
    inputs.push_back(Text(split.pattern));
    pieces = PiecesAt(AddPieceOperation("RegexSplit",
                                        {{"behaviour", drops ? "remove" : "isolate"},
                                         {"invert", split.keep == Split::kMatches ? "true" : "false"},
                                         {"max_splits", "-1"}},
                                        std::move(inputs)));
  }

  // `texts` are three ports, or four with the flags of pieces that stay as they are; so is the result.
  IrPort AddReplacement(const Replacement& step, std::vector<IrPort> texts) {
    std::vector<IrOutput> outputs = OutputsLike(texts);
    texts.push_back(Text(step.pattern));
    texts.push_back(Text(step.text));
    return ir_.Add({.type = "RegexNormalization",
                    .version = kExtension,
                    .attributes = {{"global_replace", step.everywhere ? "true" : "false"}},
                    .inputs = std::move(texts),
                    .outputs = std::move(outputs)});
  }

  IrPort AddUnicodeForm(const UnicodeForm& form, std::vector<IrPort> texts) {
    std::vector<IrOutput> outputs = OutputsLike(texts);
    return ir_.Add({.type = "CharsMapNormalization",
                    .version = kExtension,
                    .attributes = {{"add_dummy_prefix", "false"},
                                   {"remove_extra_whitespaces", "false"},
                                   {"escape_whitespaces", "false"},
                                   {"normalization_form", form.name},
                                   {"case_fold", "false"},
                                   {"nmt", "false"}},
                    .inputs = std::move(texts),
                    .outputs = std::move(outputs)});
  }

  std::vector<IrOutput> OutputsLike(const std::vector<IrPort>& ports) const {
    std::vector<IrOutput> outputs;
    for (IrPort port : ports) outputs.push_back({ir_.TypeOf(port)});
    return outputs;
  }

  // The pieces' tokens, joined to rows.
  absl::StatusOr<Tokens> Merge(const BytePairModel& model, const Pieces& pieces) {
    if (model.whole_pieces.empty())
      return AddBytePairs(model, pieces.row_begins, pieces.row_ends, pieces.texts);
    const IrPort zero = Number(0), one = Number(1);
    const IrPort count = CountOf(pieces.texts.begins);
    const IrPort begins = Range(zero, count, one);
    const IrPort ends = ir_.Elementwise("Add", begins, one);
    ASSIGN_OR_RETURN(const Tokens merged, AddBytePairs(model, begins, ends, pieces.texts));
    ASSIGN_OR_RETURN(const IrPort whole, LookUp(model.whole_pieces, pieces.texts));
    const IrPort is_whole = ir_.Compare("GreaterEqual", whole, zero);
    // Of each piece one of two is taken: its merged tokens or the one that it is.
    const Tokens merged_unless_whole = {merged.begins, ir_.Select(is_whole, merged.begins, merged.ends),
                                        merged.ids};
    const Tokens only_whole = {begins, ir_.Select(is_whole, ends, begins), whole};
    const Tokens chosen = Join({merged_unless_whole, only_whole});
    // Pieces follow one another without gaps, so a row ends where the piece behind it begins.
    const IrPort all = ir_.Unsqueeze(CountOf(chosen.ids), Numbers(std::vector<int32_t>{0}));
    const IrPort piece_begins = ir_.Concat({chosen.begins, all}, 0);
    return Tokens{ir_.Gather(piece_begins, pieces.row_begins, zero),
                  ir_.Gather(piece_begins, pieces.row_ends, zero), chosen.ids};
  }

  static std::pair<std::vector<std::string>, std::vector<int32_t>> Separate(
      const std::vector<TokenText>& tokens) {
    std::pair<std::vector<std::string>, std::vector<int32_t>> out;
    for (const auto& [text, id] : tokens) {
      out.first.push_back(text);
      out.second.push_back(id);
    }
    return out;
  }

  absl::StatusOr<Tokens> AddBytePairs(const BytePairModel& model, IrPort row_begins, IrPort row_ends,
                                      const Strings& texts) {
    std::vector<std::string> left, right;
    for (const auto& [first, second] : model.merges) {
      left.push_back(first);
      right.push_back(second);
    }
    std::vector<IrPort> inputs = {row_begins, row_ends, texts.begins, texts.ends, texts.bytes};
    for (const std::vector<std::string>& list : {model.tokens, left, right}) {
      ASSIGN_OR_RETURN(const Strings strings, Texts(list));
      Append(Ports(strings), inputs);
    }
    if (!model.others.empty()) {
      const auto [other_texts, ids] = Separate(model.others);
      ASSIGN_OR_RETURN(const Strings strings, Texts(other_texts));
      Append(Ports(strings), inputs);
      inputs.push_back(Numbers(ids));
    }
    return TokensAt(ir_.Add({.type = "BPETokenizer",
                             .version = kExtension,
                             .attributes = {{"unk_token", AbsentToken(model)},
                                            {"fuse_unk", "false"},
                                            {"suffix_indicator", ""},
                                            {"end_suffix", ""},
                                            {"byte_fallback", "false"},
                                            {"cache_capacity", "20000"}},
                             .inputs = std::move(inputs),
                             .outputs = {{kI32}, {kI32}, {kI32}}}));
  }

  // A name that no token has: the empty one belongs to ids without a text.
  static std::string AbsentToken(const BytePairModel& model) {
    size_t longest = 0;
    for (const std::string& token : model.tokens) longest = std::max(longest, token.size());
    for (const auto& [text, id] : model.others) longest = std::max(longest, text.size());
    return std::string(longest + 1, '-');
  }

  static Tokens TokensAt(IrPort first) {
    return {first, IrBuilder::Output(first, 1), IrBuilder::Output(first, 2)};
  }

  // The id of each piece that is one of these, -1 for others.
  absl::StatusOr<IrPort> LookUp(const std::vector<TokenText>& tokens, const Strings& pieces) {
    const auto [texts, ids] = Separate(tokens);
    std::vector<IrPort> inputs = Ports(pieces);
    ASSIGN_OR_RETURN(const Strings strings, Texts(texts));
    Append(Ports(strings), inputs);
    inputs.push_back(Numbers(ids));
    inputs.push_back(Number(-1));
    return ir_.Add(
        {.type = "VocabEncoder", .version = kExtension, .inputs = std::move(inputs), .outputs = {{kI32}}});
  }

  // Rows of the parts' rows, one behind the other. A part of scalars stands in every row.
  Tokens Join(const std::vector<Tokens>& parts) {
    std::vector<IrPort> inputs;
    for (const Tokens& part : parts) Append({part.begins, part.ends, part.ids}, inputs);
    inputs.push_back(Numbers(std::vector<int32_t>(parts.size())));  // the parts' types, which nobody reads
    return TokensAt(ir_.Add({.type = "CombineSegments",
                             .version = kExtension,
                             .inputs = std::move(inputs),
                             .outputs = {{kI32}, {kI32}, {kI32}, {kI32}, {kI32}, {kI32}}}));
  }

  Tokens Fixed(const std::vector<int32_t>& ids) {
    return {Number(0), Number(static_cast<int32_t>(ids.size())), Numbers(ids)};
  }

  // openvino_genai looks for these two operations, even where they change nothing: it takes the parts before
  // and behind what Truncate gives away when a caller wants no special tokens, and limits lengths.
  Tokens Surround(const Tokens& tokens, const TokenizerSteps& steps) {
    const std::vector<IrPort> inputs = {tokens.begins,      tokens.ends,   tokens.ids,
                                        Number(kUnlimited), Text("right"), Text("longest_first")};
    std::vector<Tokens> parts = {TokensAt(ir_.Add({.type = "Truncate",
                                                   .version = kExtension,
                                                   .attributes = {{"m_num_inputs", "1"}},
                                                   .inputs = inputs,
                                                   .outputs = {{kI32}, {kI32}, {kI32}}}))};
    if (!steps.prefix.empty()) parts.insert(parts.begin(), Fixed(steps.prefix));
    if (!steps.suffix.empty()) parts.push_back(Fixed(steps.suffix));
    return Join(parts);
  }

  void AddResults(const Tokens& tokens, int32_t padding_id) {
    const IrPort lengths = ir_.Elementwise("Subtract", tokens.ends, tokens.begins);
    const IrPort longest = ir_.Add({.type = "ReduceMax",
                                    .version = "opset1",
                                    .attributes = {{"keep_dims", "false"}},
                                    .inputs = {lengths, Number(0)},
                                    .outputs = {{kI32}}});
    const IrPort dense =
        ir_.Add({.type = "RaggedToDense",
                 .version = kExtension,
                 .attributes = {{"pad_right", "false"}, {"m_pad_max_length", "false"}},
                 .inputs = {tokens.begins, tokens.ends, tokens.ids, longest, Number(padding_id)},
                 .outputs = {{kI32}, {IrType::kBoolean}}});
    AddResult(AddNamed(dense, "input_ids"));
    AddResult(AddNamed(IrBuilder::Output(dense, 1), "attention_mask"));
  }

  IrPort AddNamed(IrPort values, const char* name) {
    return ir_.Add({.type = "Convert",
                    .version = "opset1",
                    .attributes = {{"destination_type", "i64"}},
                    .inputs = {values},
                    .outputs = {{IrType::kI64, name}}});
  }

  void AddResult(IrPort port) {
    ir_.Add({.type = "Result", .version = "opset1", .inputs = {port}, .outputs = {}});
  }

  IrBuilder ir_;
};

}  // namespace

absl::StatusOr<IrModel> MakeTokenizerGraph(const TokenizerSteps& steps, int32_t padding_id) {
  return TextGraph().MakeTokenizer(steps, padding_id);
}

absl::StatusOr<IrModel> MakeDetokenizerGraph(const TokenDecoder& decoder) {
  return TextGraph().MakeDetokenizer(decoder);
}

}  // namespace quantd
