// A tensor of a checkpoint, as a file's header describes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "workers/quant/codec.h"

namespace quantd {

class RandomAccessFile;

struct SourceTensor {
  std::string name;
  const quant::Codec* codec = nullptr;  // how its rows are stored; one plane
  std::vector<int64_t> shape;           // outermost first, checked: the product fits int64
  std::string path;                     // the file that holds it
  const RandomAccessFile* file = nullptr;
  uint64_t offset = 0;  // of its first byte in the file
  uint64_t bytes = 0;   // inside the file, checked

  // A tensor as rows of its last dimension; a scalar is one row of one.
  int64_t columns() const { return shape.empty() ? 1 : shape.back(); }
  int64_t rows() const {
    int64_t rows = 1;
    for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
    return rows;
  }
  int64_t elements() const { return rows() * columns(); }
};

}  // namespace quantd
