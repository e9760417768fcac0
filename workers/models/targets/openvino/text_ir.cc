#include "workers/models/targets/openvino/text_ir.h"

#include <limits>

#include "workers/models/targets/openvino/tokenizer_json.h"

namespace quantd {

TextPorts TextPorts::At(IrPort first) {
  return {first, IrBuilder::Output(first, first.output + 1), IrBuilder::Output(first, first.output + 2)};
}

std::vector<IrPort> Ports(const TextPorts& texts) { return {texts.begins, texts.ends, texts.bytes}; }

void Append(const std::vector<IrPort>& more, std::vector<IrPort>& ports) {
  ports.insert(ports.end(), more.begin(), more.end());
}

IrPort TextIr::Constant(IrType type, size_t elements, std::string bytes) {
  return ir_.Add({.type = "Const",
                  .version = "opset1",
                  .outputs = {{type}},
                  .constant = IrConstant{{static_cast<int64_t>(elements)}, std::move(bytes)}});
}

IrPort TextIr::Text(const std::string& text) { return Constant(IrType::kU8, text.size(), text); }

IrPort TextIr::Numbers(std::span<const int32_t> values) {
  return Constant(IrType::kI32, values.size(),
                  std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes()));
}

absl::StatusOr<TextPorts> TextIr::Texts(const std::vector<std::string>& texts) {
  std::vector<int32_t> begins, ends;
  std::string bytes;
  for (const std::string& text : texts) {
    if (text.size() > std::numeric_limits<int32_t>::max() - bytes.size())
      return NoOpenVinoTokenizer("has more than 2 GiB of tokens");
    begins.push_back(static_cast<int32_t>(bytes.size()));
    bytes += text;
    ends.push_back(static_cast<int32_t>(bytes.size()));
  }
  return TextPorts{Numbers(begins), Numbers(ends), Text(bytes)};
}

IrPort TextIr::Replace(const Replacement& step, std::vector<IrPort> texts) {
  std::vector<IrOutput> outputs = OutputsLike(texts);
  texts.push_back(Text(step.pattern));
  texts.push_back(Text(step.text));
  return ir_.Add({.type = "RegexNormalization",
                  .version = kTokenizerOperations,
                  .attributes = {{"global_replace", step.everywhere ? "true" : "false"}},
                  .inputs = std::move(texts),
                  .outputs = std::move(outputs)});
}

std::vector<IrOutput> TextIr::OutputsLike(const std::vector<IrPort>& ports) const {
  std::vector<IrOutput> outputs;
  outputs.reserve(ports.size());
  for (IrPort port : ports) outputs.push_back({ir_.TypeOf(port)});
  return outputs;
}

void TextIr::AddResult(IrPort port) {
  ir_.Add({.type = "Result", .version = "opset1", .inputs = {port}, .outputs = {}});
}

}  // namespace quantd
