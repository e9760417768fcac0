#include "tests/golden/golden_weights.h"

#include <cmath>
#include <utility>

namespace quantd::quant {
namespace {

constexpr int64_t kCount = kGoldenRows * kGoldenColumns;

// SplitMix64 of the weight's index.
uint64_t RandomBits(uint64_t seed, int64_t index) {
  uint64_t z = (static_cast<uint64_t>(index) + 1) * 0x9E3779B97F4A7C15u + seed;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// The sum of four 16-bit numbers around zero: integers below 2^17, nearly Gaussian.
int64_t Bell(uint64_t seed, int64_t index) {
  const uint64_t z = RandomBits(seed, index);
  const uint64_t total = (z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48);
  return static_cast<int64_t>(total) - 131070;
}

int64_t Below(uint64_t limit, uint64_t seed, int64_t index) {
  return static_cast<int64_t>(RandomBits(seed, index) % limit);
}

struct Distribution {
  std::string_view name;
  // The weight is integer * 2^exponent.
  std::pair<int64_t, int64_t> (*weight)(int64_t index);
};

using Scaled = std::pair<int64_t, int64_t>;

constexpr Distribution kDistributions[] = {
    {"bell",
     [](int64_t i) -> Scaled {
       return {Bell(1, i), -21};
     }},
    {"heavy_tailed",
     [](int64_t i) -> Scaled {
       return {Bell(2, i), -24 + Below(8, 3, i)};
     }},
    {"mixed_magnitudes",
     [](int64_t i) -> Scaled {
       return {Bell(4, i), -30 + Below(24, 5, i)};
     }},
    {"positive",
     [](int64_t i) -> Scaled {
       return {Bell(6, i) + 262144, -21};
     }},
    {"ties",
     [](int64_t i) -> Scaled {
       return {Below(17, 7, i) - 8, -3};
     }},
    {"alternating_signs",
     [](int64_t i) -> Scaled {
       return {1 - 2 * (i % 2), -1};
     }},
    {"one_non_zero",
     [](int64_t i) -> Scaled {
       return {i % 256 == 77 ? -3 : 0, -1};
     }},
    {"zero",
     [](int64_t) -> Scaled {
       return {0, 0};
     }},
    {"constant",
     [](int64_t) -> Scaled {
       return {3, -3};
     }},
    {"ascending",
     [](int64_t i) -> Scaled {
       return {i - kCount / 2, -16};
     }},
    {"tiny",
     [](int64_t i) -> Scaled {
       return {Bell(8, i), -60};
     }},
    {"subnormal",
     [](int64_t i) -> Scaled {
       return {Bell(9, i), -149};
     }},
    {"large",
     [](int64_t i) -> Scaled {
       return {Bell(10, i), -4};
     }},
};

}  // namespace

std::vector<float> GoldenWeights(std::string_view distribution) {
  std::vector<float> weights;
  for (const Distribution& candidate : kDistributions) {
    if (candidate.name != distribution) continue;
    for (int64_t i = 0; i < kCount; ++i) {
      const auto [integer, exponent] = candidate.weight(i);
      weights.push_back(
          static_cast<float>(std::ldexp(static_cast<double>(integer), static_cast<int>(exponent))));
    }
  }
  return weights;
}

std::vector<float> GoldenImportance() {
  std::vector<float> importance;
  for (int64_t i = 0; i < kGoldenColumns; ++i) {
    importance.push_back(i % 29 == 3 ? 0.0f : std::ldexp(static_cast<float>(Below(1000, 11, i) + 1), -10));
  }
  return importance;
}

}  // namespace quantd::quant
