// How much each rotary frequency is slowed beyond the trained context, as GGUF files carry it.
#pragma once

#include <vector>

#include "workers/models/hyper_parameters.h"

namespace quantd {

// Llama 3's factors, one for each rotated pair: 1 where a turn is short against the trained context,
// `scaling.factor` where it is long, a mixture in between. Equal to llama.cpp's converter bit for bit once
// rounded to float.
std::vector<double> Llama3RopeFactors(const HyperParameters& parameters, const RopeScaling& scaling,
                                      int64_t original_context);

}  // namespace quantd
