// Which of the kernels' CPU targets this process uses: the best that the processor has, or the one that the
// environment variable QUANTD_CPU names, so that all can be tested on one machine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace quantd::quant {

// Names of the targets that this processor can run, from the slowest: of "scalar", "sse4", "avx2", "avx512".
std::vector<std::string> CpuTargets();

// The one in use.
std::string CpuTarget();

// Uses that target from now on. Not while another thread encodes or decodes. INVALID_ARGUMENT for a name that
// is not among CpuTargets().
absl::Status SetCpuTarget(std::string_view name);

// SetCpuTarget(QUANTD_CPU) where that is set and not empty. Programs call it first.
absl::Status SetCpuTargetFromEnvironment();

}  // namespace quantd::quant
