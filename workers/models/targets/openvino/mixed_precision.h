// Which matrices of a mixed model get 4 bits: NNCF's data-free rule (mixed_precision.py, DataFreeCriterion).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/models/model.h"
#include "workers/models/targets/target.h"

namespace quantd {

struct MixedCandidate {
  int64_t weights = 0;
  double error = 0.0;    // see MeasureInt8Errors
  double epsilon = 0.0;  // of the type in which the model stores them: see EpsilonOf
};

// Whether each candidate gets 4 bits. Candidates are taken by falling error, those of the same score in their
// order, until one would bring the share of their weights to `ratio` or above.
std::vector<bool> ChooseFourBits(std::span<const MixedCandidate> candidates, double ratio);

// The distance from 1 to the next number of a tensor's type; F32's for types that decode to floats.
double EpsilonOf(const SourceTensor& tensor);

// Of each of these tensors of the model what 8 bits would lose: each row's mean squared difference between
// weights and int8_asym levels times their scale (in float, before it is rounded to be stored), of the worst
// row. Reads every one once, by options.threads threads that hold a tile of one tensor each.
// INVALID_ARGUMENT for weights that are not finite, CANCELLED, errors of reading.
absl::StatusOr<std::vector<double>> MeasureInt8Errors(const Model& model, std::span<const size_t> tensors,
                                                      const PlanOptions& options);

}  // namespace quantd
