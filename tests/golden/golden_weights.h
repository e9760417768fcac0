// The weights whose encodings codec_digests.txt pins. golden_weights.py makes the same, bit for bit.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace quantd::quant {

inline constexpr int64_t kGoldenRows = 8;
inline constexpr int64_t kGoldenColumns = 1536;

// kGoldenRows * kGoldenColumns weights; empty where no distribution has that name.
std::vector<float> GoldenWeights(std::string_view distribution);

// One number for each of kGoldenColumns columns; none is negative, some are zero.
std::vector<float> GoldenImportance();

}  // namespace quantd::quant
