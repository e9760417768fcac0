// What models that tokenize and models that make text of tokens have in common: texts as OpenVINO's tokenizer
// operations take them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/models/targets/openvino/ir_builder.h"
#include "workers/models/targets/openvino/tokenizer_steps.h"

namespace quantd {

inline constexpr char kTokenizerOperations[] = "extension";  // the "opset" of openvino_tokenizers

// Where each text begins and ends among the bytes of all: I32, I32, U8.
struct TextPorts {
  IrPort begins, ends, bytes;

  // Three outputs of one layer, `first` and the two behind it.
  static TextPorts At(IrPort first);
};

std::vector<IrPort> Ports(const TextPorts& texts);

void Append(const std::vector<IrPort>& more, std::vector<IrPort>& ports);

class TextIr {
 public:
  // Constants: the bytes of a text, a list of numbers, a scalar.
  IrPort Text(const std::string& text);
  IrPort Numbers(std::span<const int32_t> values);
  IrPort Number(int32_t value) { return ir_.Integer32(value); }
  // FAILED_PRECONDITION when I32 can't count the bytes.
  absl::StatusOr<TextPorts> Texts(const std::vector<std::string>& texts);

  // `texts` are those of TextPorts, and maybe flags of texts that stay as they are; so is the result.
  IrPort Replace(const Replacement& step, std::vector<IrPort> texts);
  // Outputs of the same types.
  std::vector<IrOutput> OutputsLike(const std::vector<IrPort>& ports) const;

  void AddResult(IrPort port);

  IrBuilder& builder() { return ir_; }

 private:
  IrPort Constant(IrType type, size_t elements, std::string bytes);

  IrBuilder ir_;
};

}  // namespace quantd
