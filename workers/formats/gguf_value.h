// What a GGUF file's header is made of (ggml-org/ggml, docs/gguf.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace quantd {

// GGUF's numbers of metadata types.
enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12
};

// Bytes of a value of fixed size; 0 for strings and arrays.
int64_t GgufTypeBytes(GgufType type);

// An array of a type that nothing here computes with: kept as it was read.
struct GgufPackedArray {
  GgufType element;  // of fixed size
  std::string bytes;

  bool operator==(const GgufPackedArray&) const = default;
};

using GgufValue = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, uint64_t, int64_t,
                               float, double, bool, std::string, std::vector<std::string>, std::vector<float>,
                               std::vector<int32_t>, GgufPackedArray>;

// Keys in the order in which they are written.
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

// The value of a key, or null.
const GgufValue* FindGgufValue(const GgufMetadata& metadata, std::string_view key);

inline constexpr uint32_t kGgufDefaultAlignment = 32;
inline constexpr char kGgufAlignmentKey[] = "general.alignment";

// ggml's number of a codec's tensor type (ggml.h), or this for codecs that GGUF has no type for.
inline constexpr uint32_t kNoGgufTensorType = ~uint32_t{0};
uint32_t GgufTensorType(std::string_view codec);

// ggml's name of a tensor type, "IQ4_XS", also of those that no codec here reads; empty when unknown.
std::string_view GgufTensorTypeName(uint32_t number);

}  // namespace quantd
