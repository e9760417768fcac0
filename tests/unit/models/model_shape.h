// Models that have a shape but no bytes: for the choices that depend on shapes alone.
#pragma once

#include <string>

#include "workers/models/model.h"

namespace quantd {

struct ModelShape {
  int64_t layers = 32;
  int64_t hidden = 1024;
  int64_t feed_forward = 2048;
  int64_t heads = 8;
  int64_t key_value_heads = 8;
  int64_t vocabulary = 512;
  bool tied = false;
};

// Every tensor of `architecture` ("LlamaForCausalLM") in BF16, layer by layer.
Model ShapedModel(const std::string& architecture, const ModelShape& shape);

}  // namespace quantd
