#include "tests/support/gguf_builder.h"

#include <bit>

namespace quantd {
namespace {

constexpr size_t kAlignment = 32;

std::string Counted(std::string_view text) { return LittleEndian(uint64_t{text.size()}) + std::string(text); }

void Pad(std::string& bytes) { bytes.resize((bytes.size() + kAlignment - 1) / kAlignment * kAlignment); }

}  // namespace

GgufBuilder& GgufBuilder::Raw(std::string_view key, uint32_t type, std::string_view bytes) {
  keys_ += Counted(key) + LittleEndian(type) + std::string(bytes);
  ++key_count_;
  return *this;
}

GgufBuilder& GgufBuilder::Text(std::string_view key, std::string_view value) {
  return Raw(key, 8, Counted(value));
}
GgufBuilder& GgufBuilder::Uint32(std::string_view key, uint32_t value) {
  return Raw(key, 4, LittleEndian(value));
}
GgufBuilder& GgufBuilder::Float(std::string_view key, float value) {
  return Raw(key, 6, LittleEndian(value));
}
GgufBuilder& GgufBuilder::Bool(std::string_view key, bool value) {
  return Raw(key, 7, LittleEndian(static_cast<uint8_t>(value)));
}

GgufBuilder& GgufBuilder::Texts(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes = LittleEndian(uint32_t{8}) + LittleEndian(uint64_t{values.size()});
  for (const std::string& value : values) bytes += Counted(value);
  return Raw(key, 9, bytes);
}

GgufBuilder& GgufBuilder::Int32s(std::string_view key, const std::vector<int32_t>& values) {
  std::string bytes = LittleEndian(uint32_t{5}) + LittleEndian(uint64_t{values.size()});
  for (int32_t value : values) bytes += LittleEndian(value);
  return Raw(key, 9, bytes);
}

GgufBuilder& GgufBuilder::TensorAt(std::string_view name, uint32_t type, const std::vector<uint64_t>& shape,
                                   uint64_t offset) {
  tensors_ += Counted(name) + LittleEndian(static_cast<uint32_t>(shape.size()));
  for (uint64_t dimension : shape) tensors_ += LittleEndian(dimension);
  tensors_ += LittleEndian(type) + LittleEndian(offset);
  ++tensor_count_;
  return *this;
}

GgufBuilder& GgufBuilder::Tensor(std::string_view name, uint32_t type, const std::vector<uint64_t>& shape,
                                 std::string_view data) {
  Pad(data_);
  TensorAt(name, type, shape, data_.size());
  data_ += data;
  return *this;
}

std::string GgufBuilder::Build() const {
  std::string bytes = "GGUF" + LittleEndian(version) +
                      LittleEndian(claimed_tensors == kAsAdded ? tensor_count_ : claimed_tensors) +
                      LittleEndian(claimed_keys == kAsAdded ? key_count_ : claimed_keys) + keys_ + tensors_;
  Pad(bytes);
  return bytes + data_;
}

}  // namespace quantd
