#include "base/status.h"
#include "workers/models/targets/openvino/text_ir.h"
#include "workers/models/targets/openvino/tokenizer_graph.h"

namespace quantd {

absl::StatusOr<IrModel> MakeDetokenizerGraph(const TokenDecoder& decoder) {
  TextIr text_ir;
  IrBuilder& ir = text_ir.builder();
  const IrOutput number = {IrType::kI32}, bytes = {IrType::kU8};
  const IrPort input = ir.Add({.type = "Parameter",
                               .version = "opset1",
                               .attributes = {{"shape", "?,?"}, {"element_type", "i64"}},
                               .outputs = {{IrType::kI64, "token_ids"}}});
  std::vector<IrPort> inputs = {ir.Convert(input, IrType::kI32)};
  ASSIGN_OR_RETURN(const TextPorts vocabulary, text_ir.Texts(decoder.texts));
  Append(Ports(vocabulary), inputs);
  // openvino_genai puts a switch before this input.
  if (!decoder.special_ids.empty()) inputs.push_back(text_ir.Numbers(decoder.special_ids));
  const IrPort rows = ir.Add({.type = "VocabDecoder",
                              .version = kTokenizerOperations,
                              .attributes = {{"skip_tokens", ""}},
                              .inputs = inputs,
                              .outputs = {number, number, number, number, bytes}});
  const IrPort joined = ir.Add(
      {.type = "FuzeRagged",
       .version = kTokenizerOperations,
       .inputs = {rows, IrBuilder::Output(rows, 1), IrBuilder::Output(rows, 2), IrBuilder::Output(rows, 3)},
       .outputs = {number, number}});
  TextPorts texts =
      TextPorts::At(ir.Add({.type = "UTF8Validate",
                            .version = kTokenizerOperations,
                            .attributes = {{"replace_mode", "true"}},
                            .inputs = {joined, IrBuilder::Output(joined, 1), IrBuilder::Output(rows, 4)},
                            .outputs = {number, number, bytes}}));
  for (const Replacement& step : decoder.replacements)
    texts = TextPorts::At(text_ir.Replace(step, Ports(texts)));
  text_ir.AddResult(ir.Add({.type = "StringTensorPack",
                            .version = "opset15",
                            .inputs = Ports(texts),
                            .outputs = {{IrType::kString, "string_output"}}}));
  return ir.Take("detokenizer");
}

}  // namespace quantd
