// llama.cpp's importance matrices: how strongly each column of a tensor is driven, measured on a calibration
// text (ggml-org/llama.cpp, tools/imatrix). Both forms of the file: GGUF, and the older one of its own
// (".dat").
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/random_access_file.h"

namespace quantd {

struct ImportanceMatrix {
  // By the tensor's GGUF name: one number for each column, the mean of the squares that it was multiplied
  // with; for a tensor of several matrices those of each, one after the other. Finite, none negative.
  std::map<std::string, std::shared_ptr<const std::vector<float>>, std::less<>> columns;
  std::vector<std::string> datasets;  // calibration texts
  int64_t chunks = 0;                 // of text; 0 where the file does not say
};

// INVALID_ARGUMENT names the entry and what is wrong. Nothing is allocated by a number of the file that the
// file's own size does not bear.
absl::StatusOr<ImportanceMatrix> ReadImportanceMatrix(const RandomAccessFile& file);

}  // namespace quantd
