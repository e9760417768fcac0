// What tests of writers plan and append.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "workers/formats/model_writer.h"
#include "workers/quant/codec_list.h"

namespace quantd {

inline OutputTensor Tensor(const std::string& name, const char* codec, const std::vector<int64_t>& shape) {
  OutputTensor tensor;
  tensor.name = name;
  tensor.codec = quant::FindCodec(codec);
  tensor.shape = shape;
  return tensor;
}

inline absl::Status Append(ModelWriter& writer, size_t tensor, size_t plane, std::string_view bytes) {
  return writer.Append(tensor, plane, std::as_bytes(std::span(bytes)));
}

}  // namespace quantd
