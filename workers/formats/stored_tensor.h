// A tensor as the header of a file describes it, whether or not a codec reads it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quantd {

struct StoredTensor {
  std::string name;
  std::string type;            // as the format spells it: "Q4_K", "BF16", "U32"
  std::vector<int64_t> shape;  // outermost first
  uint64_t offset = 0;         // of its first byte in the file
  uint64_t bytes = 0;
};

}  // namespace quantd
