#include "workers/models/hyper_parameters.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

// Larger than any model's, small enough that a few products of two add up in int64.
constexpr int64_t kLargestDimension = int64_t{1} << 30;

// GGUF keeps floats, and so do the tensors that are computed from these.
bool FitsFloat(const Json& number) {
  return std::fabs(number.get<double>()) <= static_cast<double>(std::numeric_limits<float>::max());
}

absl::Status Wrong(const std::string& key, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("config.json: ", key, " ", why));
}

// The value of a key, or null when it is absent or null.
const Json* Value(const Json& object, const std::string& key) {
  auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

absl::StatusOr<std::optional<int64_t>> OptionalInteger(const Json& object, const std::string& key,
                                                       int64_t least) {
  const Json* value = Value(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer() || value->get<int64_t>() < least ||
      value->get<int64_t>() > kLargestDimension) {
    return Wrong(key, absl::StrCat("is ", value->dump(), ", not a whole number from ", least, " to ",
                                   kLargestDimension));
  }
  return value->get<int64_t>();
}

absl::StatusOr<int64_t> Integer(const Json& object, const std::string& key) {
  ASSIGN_OR_RETURN(std::optional<int64_t> value, OptionalInteger(object, key, 1));
  if (!value.has_value()) return Wrong(key, "is missing");
  return *value;
}

absl::StatusOr<std::optional<double>> OptionalNumber(const Json& object, const std::string& key) {
  const Json* value = Value(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number() || !FitsFloat(*value) || value->get<double>() <= 0.0) {
    return Wrong(key, absl::StrCat("is ", value->dump(), ", not a positive number"));
  }
  return value->get<double>();
}

// Empty for anything else, as the models' own code takes it.
std::optional<double> PositiveNumber(const Json& object, const std::string& key) {
  const Json* value = Value(object, key);
  if (value == nullptr || !value->is_number() || !FitsFloat(*value)) return std::nullopt;
  return value->get<double>() > 0.0 ? std::optional(value->get<double>()) : std::nullopt;
}

absl::StatusOr<bool> Flag(const Json& object, const std::string& key) {
  const Json* value = Value(object, key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) return Wrong(key, "is neither true nor false");
  return value->get<bool>();
}

absl::StatusOr<std::vector<double>> Numbers(const Json& object, const std::string& key) {
  const Json* value = Value(object, key);
  if (value == nullptr) return std::vector<double>();
  if (!value->is_array()) return Wrong(key, "is not a list");
  std::vector<double> numbers;
  for (const Json& number : *value) {
    if (!number.is_number() || !FitsFloat(number)) return Wrong(key, "holds something other than numbers");
    numbers.push_back(number.get<double>());
  }
  return numbers;
}

absl::StatusOr<RopeScaling> ReadRopeScaling(const Json& json, const std::string& type) {
  RopeScaling scaling;
  scaling.type = type;
  ASSIGN_OR_RETURN(scaling.factor, OptionalNumber(json, "factor"));
  ASSIGN_OR_RETURN(std::optional<double> low, OptionalNumber(json, "low_freq_factor"));
  ASSIGN_OR_RETURN(std::optional<double> high, OptionalNumber(json, "high_freq_factor"));
  scaling.low_freq_factor = low.value_or(1.0);
  scaling.high_freq_factor = high.value_or(4.0);
  if (type == "llama3" && scaling.high_freq_factor <= scaling.low_freq_factor)
    return Wrong("rope_scaling.high_freq_factor", "is not larger than low_freq_factor");
  ASSIGN_OR_RETURN(scaling.short_factors, Numbers(json, "short_factor"));
  ASSIGN_OR_RETURN(scaling.long_factors, Numbers(json, "long_factor"));
  scaling.attention_factor = PositiveNumber(json, "attention_factor");
  scaling.short_magnitude = PositiveNumber(json, "short_mscale");
  scaling.long_magnitude = PositiveNumber(json, "long_mscale");
  return scaling;
}

// Rotary settings live in `rope_scaling` beside `rope_theta` (transformers 4) or all in `rope_parameters`
// (transformers 5); what the inner object lacks is taken from the configuration.
absl::Status ReadRope(const Json& config, HyperParameters& out) {
  const Json* rope = Value(config, "rope_parameters");
  if (rope == nullptr) rope = Value(config, "rope_scaling");
  if (rope != nullptr && !rope->is_object()) return Wrong("rope_scaling", "is not an object");
  const auto inner_or_outer = [&](const std::string& key) -> const Json& {
    return rope != nullptr && Value(*rope, key) != nullptr ? *rope : config;
  };
  ASSIGN_OR_RETURN(out.rope_base, OptionalNumber(inner_or_outer("rope_theta"), "rope_theta"));
  ASSIGN_OR_RETURN(std::optional<double> partial,
                   OptionalNumber(inner_or_outer("partial_rotary_factor"), "partial_rotary_factor"));
  out.partial_rotary = partial.value_or(1.0);
  if (out.partial_rotary > 1.0) return Wrong("partial_rotary_factor", "is larger than 1");
  const std::string original = "original_max_position_embeddings";
  ASSIGN_OR_RETURN(out.original_context, OptionalInteger(inner_or_outer(original), original, 1));
  if (rope == nullptr) return absl::OkStatus();
  const Json* type = Value(*rope, "rope_type");
  if (type == nullptr) type = Value(*rope, "type");
  if (type == nullptr) return absl::OkStatus();
  if (!type->is_string()) return Wrong("rope_scaling.type", "is not a text");
  if (type->get<std::string>() == "default") return absl::OkStatus();
  ASSIGN_OR_RETURN(out.rope_scaling, ReadRopeScaling(*rope, type->get<std::string>()));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HyperParameters> ReadHyperParameters(const Json& config) {
  if (!config.is_object()) return absl::InvalidArgumentError("config.json: is not an object");
  HyperParameters out;
  ASSIGN_OR_RETURN(out.hidden, Integer(config, "hidden_size"));
  ASSIGN_OR_RETURN(out.feed_forward, Integer(config, "intermediate_size"));
  ASSIGN_OR_RETURN(out.layers, Integer(config, "num_hidden_layers"));
  ASSIGN_OR_RETURN(out.heads, Integer(config, "num_attention_heads"));
  ASSIGN_OR_RETURN(std::optional<int64_t> key_value_heads, OptionalInteger(config, "num_key_value_heads", 1));
  out.key_value_heads = key_value_heads.value_or(out.heads);
  ASSIGN_OR_RETURN(out.explicit_head_size, OptionalInteger(config, "head_dim", 1));
  ASSIGN_OR_RETURN(out.vocabulary, Integer(config, "vocab_size"));
  ASSIGN_OR_RETURN(out.context, Integer(config, "max_position_embeddings"));
  ASSIGN_OR_RETURN(out.sliding_window, OptionalInteger(config, "sliding_window", 0));
  ASSIGN_OR_RETURN(std::optional<double> epsilon, OptionalNumber(config, "rms_norm_eps"));
  if (!epsilon.has_value()) return Wrong("rms_norm_eps", "is missing");
  out.norm_epsilon = *epsilon;
  ASSIGN_OR_RETURN(out.tied_embeddings, Flag(config, "tie_word_embeddings"));
  ASSIGN_OR_RETURN(out.attention_bias, Flag(config, "attention_bias"));
  RETURN_IF_ERROR(ReadRope(config, out));
  if (out.heads % out.key_value_heads != 0)
    return Wrong("num_key_value_heads", "does not divide num_attention_heads");
  if (!out.explicit_head_size.has_value() && out.hidden % out.heads != 0) {
    return Wrong("num_attention_heads", "does not divide hidden_size, and there is no head_dim");
  }
  if (out.head_size() % 2 != 0) return Wrong("head_dim", "is odd: rotary embeddings need pairs");
  return out;
}

}  // namespace quantd
