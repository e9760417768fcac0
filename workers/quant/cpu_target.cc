#include "workers/quant/cpu_target.h"

#include <hwy/highway.h>

#include <array>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace quantd::quant {
namespace {

constexpr std::array<std::pair<std::string_view, int64_t>, 4> kTargets = {{
    {"scalar", HWY_SCALAR},
    {"sse4", HWY_SSE4},
    {"avx2", HWY_AVX2},
    {"avx512", HWY_AVX3},
}};

// Highway's "for test" is its only way to choose, and it forgets what the dispatch had chosen before.
void Use(int64_t target) { hwy::SetSupportedTargetsForTest(target); }

}  // namespace

std::vector<std::string> CpuTargets() {
  const int64_t chosen = hwy::SupportedTargets();
  Use(0);
  const int64_t supported = hwy::SupportedTargets() & HWY_TARGETS;
  Use(chosen);
  std::vector<std::string> names;
  for (const auto& [name, target] : kTargets) {
    if (supported & target) names.emplace_back(name);
  }
  return names;
}

std::string CpuTarget() {
  std::string best = "scalar";
  for (const auto& [name, target] : kTargets) {
    if (hwy::SupportedTargets() & HWY_TARGETS & target) best = std::string(name);
  }
  return best;
}

absl::Status SetCpuTarget(std::string_view name) {
  const std::vector<std::string> possible = CpuTargets();
  for (const auto& [known, target] : kTargets) {
    for (const std::string& usable : possible) {
      if (known == name && usable == name) {
        Use(target);
        return absl::OkStatus();
      }
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("CPU target \"", std::string(name),
                   "\" is not one of this processor's: ", absl::StrJoin(possible, ", ")));
}

absl::Status SetCpuTargetFromEnvironment() {
  const char* name = std::getenv("QUANTD_CPU");
  return name == nullptr || *name == '\0' ? absl::OkStatus() : SetCpuTarget(name);
}

}  // namespace quantd::quant
