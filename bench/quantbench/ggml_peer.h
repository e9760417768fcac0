// ggml's own quantizer, where its library is installed: the peer that quantbench compares with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quantd::bench {

class GgmlPeer {
 public:
  // Loads libggml-base.so. `path` may be empty: then it is looked for in the environment that scripts/test
  // makes (build/venv). NOT_FOUND where there is none.
  static absl::StatusOr<std::unique_ptr<GgmlPeer>> Load(const std::string& path);

  // ggml's number of that type, or nothing where ggml has no such type.
  static std::optional<int> TypeOf(std::string_view codec);

  // Makes the tables that the type needs; not part of what is timed.
  void Prepare(int type) const { prepare_(type); }

  // Encodes rows of floats; `importance` is null or one number for each column.
  void Quantize(int type, const float* weights, int64_t rows, int64_t columns, const float* importance,
                std::byte* out) const {
    quantize_(type, weights, out, 0, rows, columns, importance);
  }

 private:
  using QuantizeChunk = size_t (*)(int type, const float* weights, void* out, int64_t start, int64_t rows,
                                   int64_t columns, const float* importance);
  using QuantizeInit = void (*)(int type);
  GgmlPeer(QuantizeChunk quantize, QuantizeInit prepare) : quantize_(quantize), prepare_(prepare) {}

  QuantizeChunk quantize_;
  QuantizeInit prepare_;
};

}  // namespace quantd::bench
