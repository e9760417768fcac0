// The settings that optimum-intel 2.2.0 takes for models it knows when it is asked for int4 and nothing else.
#pragma once

#include <cstdint>
#include <string_view>

#include "workers/models/model.h"

namespace quantd {

struct OpenVinoPreset {
  std::string_view model;  // as the Hugging Face hub names it
  bool symmetric;
  int64_t group;
  double ratio;
  bool all_layers;
  bool is_data_aware;  // optimum-intel also changes weights by AWQ or scale estimation
};

// By the name that the configuration says the model came from, or the one it was uploaded under, with or
// without its owner. Null for other models.
const OpenVinoPreset* FindOpenVinoPreset(const Model& model);

}  // namespace quantd
