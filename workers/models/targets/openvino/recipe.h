// What an OpenVINO target asks for: how matrices are stored, and which of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/models/model.h"
#include "workers/models/targets/openvino/weight_form.h"
#include "workers/models/targets/target.h"

namespace quantd {

struct OpenVinoRecipe {
  // Of the matrices that the ratio counts: those of the layers, or all.
  WeightForm primary;
  // Of the others.
  WeightForm backup;
  // The share of the counted weights that is stored in `primary`.
  double ratio = 1.0;
  // Whether embedding and lm_head are counted.
  bool all_layers = false;

  bool is_float() const { return primary.is_float(); }
};

// Reads scheme and options, which have been checked against the lists below. INVALID_ARGUMENT names the field
// of an option that means nothing for the scheme or lies out of range. `notes` gets what the user may not
// expect, a sentence each.
absl::StatusOr<OpenVinoRecipe> ReadOpenVinoRecipe(const TargetSpec& spec, const Model& model,
                                                  std::vector<std::string>& notes);

std::vector<SchemeInfo> OpenVinoSchemes();
std::vector<OptionInfo> OpenVinoOptions();

}  // namespace quantd
