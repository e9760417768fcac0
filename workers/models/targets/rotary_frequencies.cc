#include "workers/models/targets/rotary_frequencies.h"

#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

constexpr double kUsualBase = 10000.0;

// Turns of Llama 3's slow dimensions are slowed further, of its fast ones left, with a ramp between.
float Llama3Frequency(float frequency, const HyperParameters& p) {
  const RopeScaling& scaling = *p.rope_scaling;
  const float factor = static_cast<float>(scaling.factor.value_or(1.0));
  const float low = static_cast<float>(scaling.low_freq_factor);
  const float range = static_cast<float>(scaling.high_freq_factor - scaling.low_freq_factor);
  const double original = static_cast<double>(p.original_context.value_or(p.context));
  const float wave_length = static_cast<float>(2.0 * std::numbers::pi) / frequency;
  if (wave_length < static_cast<float>(original / scaling.high_freq_factor)) return frequency;
  if (wave_length > static_cast<float>(original / scaling.low_freq_factor)) return frequency / factor;
  const float smooth = (static_cast<float>(original) / wave_length - low) / range;
  return (1.0f - smooth) * frequency / factor + smooth * frequency;
}

}  // namespace

int64_t RotatedDimensions(const HyperParameters& parameters) {
  // A GGUF file says the number itself; the share that was computed from it may fall a hair short.
  constexpr double kHair = 1e-6;
  return static_cast<int64_t>(parameters.partial_rotary * static_cast<double>(parameters.head_size()) +
                              kHair);
}

bool HasLongRope(const HyperParameters& parameters) {
  const std::optional<RopeScaling>& scaling = parameters.rope_scaling;
  return scaling.has_value() && (scaling->type == "longrope" || scaling->type == "su");
}

absl::Status CheckLongRopeFactors(const HyperParameters& parameters) {
  if (!HasLongRope(parameters)) return absl::OkStatus();
  const RopeScaling& scaling = *parameters.rope_scaling;
  const size_t pairs = static_cast<size_t>(RotatedDimensions(parameters) / 2);
  if (scaling.long_factors.size() == pairs && scaling.short_factors.size() == pairs) return absl::OkStatus();
  return PreconditionFailed(
      "config.json",
      absl::StrCat("LongRoPE has ", scaling.long_factors.size(), " long and ", scaling.short_factors.size(),
                   " short factors for ", pairs, " pairs of rotated dimensions"));
}

std::vector<float> RotaryFrequencies(const HyperParameters& p, const std::vector<double>& factors) {
  const int64_t dimensions = RotatedDimensions(p);
  const float base = static_cast<float>(p.rope_base.value_or(kUsualBase));
  const bool is_llama3 = p.rope_scaling.has_value() && p.rope_scaling->type == "llama3";
  const bool is_linear = p.rope_scaling.has_value() && p.rope_scaling->type == "linear";
  const float linear = is_linear ? static_cast<float>(p.rope_scaling->factor.value_or(1.0)) : 1.0f;
  std::vector<float> frequencies;
  for (int64_t pair = 0; pair < dimensions / 2; ++pair) {
    const float factor = factors.empty() ? linear : static_cast<float>(factors[static_cast<size_t>(pair)]);
    const float power = std::pow(base, static_cast<float>(2 * pair) / static_cast<float>(dimensions));
    const float frequency = 1.0f / (factor * power);
    frequencies.push_back(is_llama3 ? Llama3Frequency(frequency, p) : frequency);
  }
  return frequencies;
}

}  // namespace quantd
