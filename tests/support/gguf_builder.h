// Makes GGUF files in memory for tests, also broken ones: nothing is checked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quantd {

class GgufBuilder {
 public:
  uint32_t version = 3;
  // Instead of what was added.
  uint64_t claimed_tensors = kAsAdded;
  uint64_t claimed_keys = kAsAdded;

  GgufBuilder& Text(std::string_view key, std::string_view value);
  GgufBuilder& Uint32(std::string_view key, uint32_t value);
  GgufBuilder& Float(std::string_view key, float value);
  GgufBuilder& Bool(std::string_view key, bool value);
  GgufBuilder& Texts(std::string_view key, const std::vector<std::string>& values);
  GgufBuilder& Int32s(std::string_view key, const std::vector<int32_t>& values);
  // A key of any type with bytes as they are.
  GgufBuilder& Raw(std::string_view key, uint32_t type, std::string_view bytes);

  // Shape innermost first, as in the file; data is placed at the next multiple of 32.
  GgufBuilder& Tensor(std::string_view name, uint32_t type, const std::vector<uint64_t>& shape,
                      std::string_view data);
  // The same at an offset that the test chooses; `data` goes nowhere.
  GgufBuilder& TensorAt(std::string_view name, uint32_t type, const std::vector<uint64_t>& shape,
                        uint64_t offset);

  std::string Build() const;

 private:
  static constexpr uint64_t kAsAdded = ~uint64_t{0};

  std::string keys_;
  uint64_t key_count_ = 0;
  std::string tensors_;
  uint64_t tensor_count_ = 0;
  std::string data_;
};

// `value` as the bytes of a file.
template <typename T>
std::string LittleEndian(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace quantd
