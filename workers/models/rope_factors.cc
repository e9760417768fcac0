#include "workers/models/rope_factors.h"

#include <cmath>
#include <numbers>

namespace quantd {

std::vector<double> Llama3RopeFactors(const HyperParameters& p, const RopeScaling& scaling,
                                      int64_t original_context) {
  // In float and with reciprocals, as torch computes the converter's expressions, so that no last bit
  // differs.
  const float factor = static_cast<float>(scaling.factor.value_or(8.0));
  const double low = scaling.low_freq_factor, high = scaling.high_freq_factor;
  const double context = static_cast<double>(original_context);
  const float base = static_cast<float>(p.rope_base.value_or(10000.0));
  std::vector<double> factors;
  for (int64_t i = 0; i < p.head_size(); i += 2) {
    const float frequency = 1.0f / std::pow(base, static_cast<float>(i) / static_cast<float>(p.head_size()));
    const float wave_length = 1.0f / frequency * static_cast<float>(2.0 * std::numbers::pi);
    if (wave_length < static_cast<float>(context / high)) {
      factors.push_back(1.0);
    } else if (wave_length > static_cast<float>(context / low)) {
      factors.push_back(factor);
    } else {
      const float turns = 1.0f / wave_length * static_cast<float>(context);
      const float smooth = (turns - static_cast<float>(low)) / static_cast<float>(high - low);
      factors.push_back(1.0f / ((1.0f - smooth) / factor + smooth));
    }
  }
  return factors;
}

}  // namespace quantd
