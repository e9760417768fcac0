// The numbers of a decoder model's configuration, the same whatever file they came from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace quantd {

// How rotary angles are stretched beyond the trained context.
struct RopeScaling {
  std::string type;  // "llama3", "longrope" ("su" is its old name), "linear", "yarn", …
  std::optional<double> factor;
  double low_freq_factor = 1.0;       // llama3
  double high_freq_factor = 4.0;      // llama3
  std::vector<double> short_factors;  // longrope, one for each rotated pair
  std::vector<double> long_factors;
  std::optional<double> attention_factor;  // longrope: replaces the one that follows from the contexts
  std::optional<double> short_magnitude;   // longrope: factors of cosines and sines, where the configuration
  std::optional<double> long_magnitude;    // says them
};

struct HyperParameters {
  int64_t hidden = 0;
  int64_t feed_forward = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t key_value_heads = 0;
  std::optional<int64_t> explicit_head_size;  // config.json's head_dim
  int64_t vocabulary = 0;
  int64_t context = 0;
  std::optional<int64_t> original_context;  // before LongRoPE or Llama-3 scaling
  std::optional<int64_t> sliding_window;    // unset for null
  double norm_epsilon = 0.0;
  std::optional<double> rope_base;  // rope_theta
  double partial_rotary = 1.0;      // share of a head that is rotated
  std::optional<RopeScaling> rope_scaling;
  bool tied_embeddings = false;
  bool attention_bias = false;

  int64_t head_size() const { return explicit_head_size.value_or(hidden / heads); }
  // Dimensions of a head that are rotated.
  int64_t rotary_size() const {
    return static_cast<int64_t>(partial_rotary * static_cast<double>(hidden)) / heads;
  }
};

// From config.json (both transformers 4's and 5's spelling of the rotary settings). INVALID_ARGUMENT names
// the key that is missing, of another type or out of range.
absl::StatusOr<HyperParameters> ReadHyperParameters(const Json& config);

}  // namespace quantd
