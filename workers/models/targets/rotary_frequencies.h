// Angles of rotary embeddings, for formats whose graphs rotate.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "workers/models/hyper_parameters.h"

namespace quantd {

// Dimensions of a head that are rotated.
int64_t RotatedDimensions(const HyperParameters& parameters);

// LongRoPE, under either name.
bool HasLongRope(const HyperParameters& parameters);

// FAILED_PRECONDITION unless a model with LongRoPE has a factor of either list for each rotated pair.
absl::Status CheckLongRopeFactors(const HyperParameters& parameters);

// The angle of position 1, one for each rotated pair. `factors` divide them, one each; where there are none,
// the model's own scaling (llama3, linear). All in float, as torch computes it.
std::vector<float> RotaryFrequencies(const HyperParameters& parameters, const std::vector<double>& factors);

}  // namespace quantd
