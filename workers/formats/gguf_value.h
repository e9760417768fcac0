// A metadata value of a GGUF file (ggml-org/ggml, docs/gguf.md).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace quantd {

using GgufValue = std::variant<uint32_t, int32_t, float, bool, std::string, std::vector<std::string>,
                               std::vector<float>, std::vector<int32_t>>;

// Keys in the order in which they are written.
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

}  // namespace quantd
