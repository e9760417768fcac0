#include "workers/models/targets/openvino/tokenizer_graph.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"
#include "workers/models/targets/openvino/text_ir.h"

namespace quantd {
namespace {

// Lengths are cut to this: not at all. openvino_genai adds small numbers to it, and counts in I32.
constexpr int32_t kUnlimited = 1 << 30;

const IrOutput kNumber = {IrType::kI32};
const IrOutput kBytes = {IrType::kU8};

// Rows of pieces of text: the pieces that a row begins and ends with, and whether each piece is an added
// token, which all steps leave alone.
struct Pieces {
  IrPort row_begins, row_ends;
  TextPorts texts;
  IrPort is_added;

  static Pieces At(IrPort first) {
    return {first, IrBuilder::Output(first, 1), TextPorts::At(IrBuilder::Output(first, 2)),
            IrBuilder::Output(first, 5)};
  }
};

// Rows of token ids.
struct Tokens {
  IrPort begins, ends, ids;

  static Tokens At(IrPort first) { return {first, IrBuilder::Output(first, 1), IrBuilder::Output(first, 2)}; }
};

std::pair<std::vector<std::string>, std::vector<int32_t>> Separate(const std::vector<TokenText>& tokens) {
  std::pair<std::vector<std::string>, std::vector<int32_t>> out;
  for (const auto& [text, id] : tokens) {
    out.first.push_back(text);
    out.second.push_back(id);
  }
  return out;
}

// A name that no token has: the empty one belongs to ids without a text.
std::string AbsentToken(const BytePairModel& model) {
  size_t longest = 0;
  for (const std::string& token : model.tokens) longest = std::max(longest, token.size());
  for (const auto& [text, id] : model.others) longest = std::max(longest, text.size());
  return std::string(longest + 1, '-');
}

class TokenizerGraph {
 public:
  absl::StatusOr<IrModel> Make(const TokenizerSteps& steps, int32_t padding_id) {
    const IrPort input = ir_.Add({.type = "Parameter",
                                  .version = "opset1",
                                  .attributes = {{"shape", "?"}, {"element_type", "string"}},
                                  .outputs = {{IrType::kString, "string_input"}}});
    TextPorts texts = TextPorts::At(ir_.Add({.type = "StringTensorUnpack",
                                             .version = "opset15",
                                             .inputs = {input},
                                             .outputs = {kNumber, kNumber, kBytes}}));
    for (const Replacement& step : steps.whole_text) texts = TextPorts::At(text_.Replace(step, Ports(texts)));
    const auto [begins, ends] = RowsOfOne(texts.begins);
    Pieces pieces = CutAddedTokens(begins, ends, texts, steps.added_tokens);
    for (const TextStep& step : steps.normalizer) Add(step, pieces);
    if (!steps.all_added_tokens.empty())
      pieces = CutAddedTokens(pieces.row_begins, pieces.row_ends, pieces.texts, steps.all_added_tokens);
    for (const TextStep& step : steps.pre_tokenizer) Add(step, pieces);
    ASSIGN_OR_RETURN(const Tokens tokens, Merge(steps.model, pieces));
    AddResults(Surround(tokens, steps), padding_id);
    return ir_.Take("tokenizer");
  }

 private:
  // As many rows as the list has elements, each of one of them.
  std::pair<IrPort, IrPort> RowsOfOne(IrPort list) {
    const IrPort one = text_.Number(1);
    const IrPort begins = ir_.Add({.type = "Range",
                                   .version = "opset4",
                                   .attributes = {{"output_type", "i32"}},
                                   .inputs = {text_.Number(0), CountOf(list), one},
                                   .outputs = {kNumber}});
    return {begins, ir_.Elementwise("Add", begins, one)};
  }

  // A scalar.
  IrPort CountOf(IrPort list) {
    const IrPort shape = ir_.Add({.type = "ShapeOf",
                                  .version = "opset3",
                                  .attributes = {{"output_type", "i32"}},
                                  .inputs = {list},
                                  .outputs = {kNumber}});
    const IrPort first = text_.Number(0);
    return ir_.Gather(shape, first, first);
  }

  IrPort AddPieceOperation(const char* type, IrAttributes attributes, std::vector<IrPort> inputs) {
    return ir_.Add({.type = type,
                    .version = kTokenizerOperations,
                    .attributes = std::move(attributes),
                    .inputs = std::move(inputs),
                    .outputs = {kNumber, kNumber, kNumber, kNumber, kBytes, {IrType::kBoolean}}});
  }

  // The operation would take flags of pieces as well, but then it crashes when it is loaded.
  Pieces CutAddedTokens(IrPort row_begins, IrPort row_ends, const TextPorts& texts,
                        const std::string& pattern) {
    return Pieces::At(AddPieceOperation(
        "SpecialTokensSplit", {},
        {row_begins, row_ends, texts.begins, texts.ends, texts.bytes, text_.Text(pattern)}));
  }

  void Add(const TextStep& step, Pieces& pieces) {
    if (const auto* split = std::get_if<Split>(&step)) {
      AddSplit(*split, pieces);
      return;
    }
    std::vector<IrPort> inputs = Ports(pieces.texts);
    inputs.push_back(pieces.is_added);
    const auto* replacement = std::get_if<Replacement>(&step);
    const IrPort changed = replacement != nullptr
                               ? text_.Replace(*replacement, std::move(inputs))
                               : AddUnicodeForm(std::get<UnicodeForm>(step), std::move(inputs));
    pieces.texts = TextPorts::At(changed);
    pieces.is_added = IrBuilder::Output(changed, 3);
  }

  void AddSplit(const Split& split, Pieces& pieces) {
    const TextPorts& texts = pieces.texts;
    pieces = Pieces::At(AddPieceOperation("RegexSplit",
                                          {{"behaviour", split.keep == Split::kAll ? "isolate" : "remove"},
                                           {"invert", split.keep == Split::kMatches ? "true" : "false"},
                                           {"max_splits", "-1"}},
                                          {pieces.row_begins, pieces.row_ends, texts.begins, texts.ends,
                                           texts.bytes, pieces.is_added, text_.Text(split.pattern)}));
  }

  IrPort AddUnicodeForm(const UnicodeForm& form, std::vector<IrPort> texts) {
    std::vector<IrOutput> outputs = text_.OutputsLike(texts);
    return ir_.Add({.type = "CharsMapNormalization",
                    .version = kTokenizerOperations,
                    .attributes = {{"add_dummy_prefix", "false"},
                                   {"remove_extra_whitespaces", "false"},
                                   {"escape_whitespaces", "false"},
                                   {"normalization_form", form.name},
                                   {"case_fold", "false"},
                                   {"nmt", "false"}},
                    .inputs = std::move(texts),
                    .outputs = std::move(outputs)});
  }

  // The pieces' tokens, joined to rows.
  absl::StatusOr<Tokens> Merge(const BytePairModel& model, const Pieces& pieces) {
    if (model.whole_pieces.empty())
      return AddBytePairs(model, pieces.row_begins, pieces.row_ends, pieces.texts);
    const IrPort zero = text_.Number(0);
    const auto [begins, ends] = RowsOfOne(pieces.texts.begins);
    ASSIGN_OR_RETURN(const Tokens merged, AddBytePairs(model, begins, ends, pieces.texts));
    ASSIGN_OR_RETURN(const IrPort whole, LookUp(model.whole_pieces, pieces.texts));
    const IrPort is_whole = ir_.Compare("GreaterEqual", "opset1", whole, zero);
    // Of each piece one of two is taken: its merged tokens or the one that it is.
    const Tokens merged_unless_whole = {merged.begins, ir_.Select(is_whole, merged.begins, merged.ends),
                                        merged.ids};
    const Tokens only_whole = {begins, ir_.Select(is_whole, ends, begins), whole};
    const Tokens chosen = Join({merged_unless_whole, only_whole});
    // Pieces follow one another without gaps, so a row ends where the piece behind it begins.
    const IrPort all = ir_.Unsqueeze(CountOf(chosen.ids), ir_.Integers({0}));
    const IrPort piece_begins = ir_.Concat({chosen.begins, all}, 0);
    return Tokens{ir_.Gather(piece_begins, pieces.row_begins, zero),
                  ir_.Gather(piece_begins, pieces.row_ends, zero), chosen.ids};
  }

  absl::StatusOr<Tokens> AddBytePairs(const BytePairModel& model, IrPort row_begins, IrPort row_ends,
                                      const TextPorts& texts) {
    std::vector<std::string> left, right;
    for (const auto& [first, second] : model.merges) {
      left.push_back(first);
      right.push_back(second);
    }
    std::vector<IrPort> inputs = {row_begins, row_ends, texts.begins, texts.ends, texts.bytes};
    for (const auto* list : {&model.tokens, &std::as_const(left), &std::as_const(right)}) {
      ASSIGN_OR_RETURN(const TextPorts constants, text_.Texts(*list));
      Append(Ports(constants), inputs);
    }
    if (!model.others.empty()) {
      const auto [other_texts, ids] = Separate(model.others);
      ASSIGN_OR_RETURN(const TextPorts constants, text_.Texts(other_texts));
      Append(Ports(constants), inputs);
      inputs.push_back(text_.Numbers(ids));
    }
    return Tokens::At(ir_.Add({.type = "BPETokenizer",
                               .version = kTokenizerOperations,
                               .attributes = {{"unk_token", AbsentToken(model)},
                                              {"fuse_unk", "false"},
                                              {"suffix_indicator", ""},
                                              {"end_suffix", ""},
                                              {"byte_fallback", "false"},
                                              {"cache_capacity", "20000"}},
                               .inputs = std::move(inputs),
                               .outputs = {kNumber, kNumber, kNumber}}));
  }

  // The id of each piece that is one of these, -1 for others.
  absl::StatusOr<IrPort> LookUp(const std::vector<TokenText>& tokens, const TextPorts& pieces) {
    const auto [texts, ids] = Separate(tokens);
    std::vector<IrPort> inputs = Ports(pieces);
    ASSIGN_OR_RETURN(const TextPorts constants, text_.Texts(texts));
    Append(Ports(constants), inputs);
    Append({text_.Numbers(ids), text_.Number(-1)}, inputs);
    return ir_.Add({.type = "VocabEncoder",
                    .version = kTokenizerOperations,
                    .inputs = std::move(inputs),
                    .outputs = {kNumber}});
  }

  // Rows of the parts' rows, one behind the other. A part whose begin and end are scalars stands in every
  // row.
  Tokens Join(const std::vector<Tokens>& parts) {
    std::vector<IrPort> inputs;
    for (const Tokens& part : parts) Append({part.begins, part.ends, part.ids}, inputs);
    inputs.push_back(
        text_.Numbers(std::vector<int32_t>(parts.size())));  // the parts' types, which nobody reads
    return Tokens::At(ir_.Add({.type = "CombineSegments",
                               .version = kTokenizerOperations,
                               .inputs = std::move(inputs),
                               .outputs = std::vector<IrOutput>(6, kNumber)}));
  }

  Tokens Fixed(const std::vector<int32_t>& ids) {
    return {text_.Number(0), text_.Number(static_cast<int32_t>(ids.size())), text_.Numbers(ids)};
  }

  // openvino_genai looks for these two operations, even where they change nothing: it empties the parts that
  // don't come from Truncate when a caller wants no special tokens, and limits lengths.
  Tokens Surround(const Tokens& tokens, const TokenizerSteps& steps) {
    std::vector<IrPort> inputs = {tokens.begins, tokens.ends, tokens.ids};
    Append({text_.Number(kUnlimited), text_.Text("right"), text_.Text("longest_first")}, inputs);
    std::vector<Tokens> parts = {Tokens::At(ir_.Add({.type = "Truncate",
                                                     .version = kTokenizerOperations,
                                                     .attributes = {{"m_num_inputs", "1"}},
                                                     .inputs = std::move(inputs),
                                                     .outputs = {kNumber, kNumber, kNumber}}))};
    if (!steps.prefix.empty()) parts.insert(parts.begin(), Fixed(steps.prefix));
    if (!steps.suffix.empty()) parts.push_back(Fixed(steps.suffix));
    return Join(parts);
  }

  void AddResults(const Tokens& tokens, int32_t padding_id) {
    const IrPort longest =
        ir_.Add({.type = "ReduceMax",
                 .version = "opset1",
                 .attributes = {{"keep_dims", "false"}},
                 .inputs = {ir_.Elementwise("Subtract", tokens.ends, tokens.begins), text_.Number(0)},
                 .outputs = {kNumber}});
    const IrPort dense =
        ir_.Add({.type = "RaggedToDense",
                 .version = kTokenizerOperations,
                 .attributes = {{"pad_right", "false"}, {"m_pad_max_length", "false"}},
                 .inputs = {tokens.begins, tokens.ends, tokens.ids, longest, text_.Number(padding_id)},
                 .outputs = {kNumber, {IrType::kBoolean}}});
    AddNamedResult(dense, "input_ids");
    AddNamedResult(IrBuilder::Output(dense, 1), "attention_mask");
  }

  void AddNamedResult(IrPort values, const char* name) {
    text_.AddResult(ir_.Add({.type = "Convert",
                             .version = "opset1",
                             .attributes = {{"destination_type", "i64"}},
                             .inputs = {values},
                             .outputs = {{IrType::kI64, name}}}));
  }

  TextIr text_;
  IrBuilder& ir_ = text_.builder();
};

}  // namespace

absl::StatusOr<IrModel> MakeTokenizerGraph(const TokenizerSteps& steps, int32_t padding_id) {
  return TokenizerGraph().Make(steps, padding_id);
}

}  // namespace quantd
