#include "workers/models/gguf_parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

constexpr int64_t kLargestDimension = int64_t{1} << 31;

absl::Status Wrong(const std::string& key, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("the metadata: ", key, " ", why));
}

// The number whose shortest decimal a float is: 1e-05, not 9.99999974737875e-06.
double Shortest(float value) {
  char text[32];
  const std::to_chars_result end = std::to_chars(text, text + sizeof(text), value);
  double out = value;
  std::from_chars(text, end.ptr, out);
  return out;
}

class Keys {
 public:
  Keys(const GgufMetadata& metadata, const Architecture& architecture)
      : metadata_(metadata), prefix_(absl::StrCat(std::string(architecture.gguf_name), ".")) {}

  absl::StatusOr<std::optional<int64_t>> Optional(const std::string& key) const {
    return GgufInteger(metadata_, prefix_ + key);
  }

  absl::StatusOr<int64_t> Positive(const std::string& key) const {
    ASSIGN_OR_RETURN(std::optional<int64_t> value, Optional(key));
    if (!value.has_value()) return Wrong(prefix_ + key, "is missing");
    if (*value < 1) return Wrong(prefix_ + key, absl::StrCat("is ", *value));
    return *value;
  }

  absl::StatusOr<std::optional<double>> Number(const std::string& key) const {
    const GgufValue* value = FindGgufValue(metadata_, prefix_ + key);
    if (value == nullptr) return std::nullopt;
    const float* number = std::get_if<float>(value);
    if (number == nullptr || !std::isfinite(*number) || *number <= 0.0f)
      return Wrong(prefix_ + key, "is no positive float32");
    return Shortest(*number);
  }

  std::string Text(const std::string& key) const {
    const GgufValue* value = FindGgufValue(metadata_, prefix_ + key);
    const std::string* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
    return text == nullptr ? "" : *text;
  }

  std::string Name(const std::string& key) const { return prefix_ + key; }

 private:
  const GgufMetadata& metadata_;
  std::string prefix_;
};

absl::Status ReadHeads(const Keys& keys, HyperParameters& out) {
  ASSIGN_OR_RETURN(out.heads, keys.Positive("attention.head_count"));
  ASSIGN_OR_RETURN(std::optional<int64_t> shared, keys.Optional("attention.head_count_kv"));
  out.key_value_heads = shared.value_or(out.heads);
  if (out.key_value_heads < 1 || out.heads % out.key_value_heads != 0)
    return Wrong(keys.Name("attention.head_count_kv"), "does not divide attention.head_count");
  ASSIGN_OR_RETURN(out.explicit_head_size, keys.Optional("attention.key_length"));
  ASSIGN_OR_RETURN(std::optional<int64_t> value_size, keys.Optional("attention.value_length"));
  if (value_size != out.explicit_head_size)
    return Wrong(keys.Name("attention.value_length"), "differs from attention.key_length");
  if (out.explicit_head_size.has_value() && *out.explicit_head_size < 1)
    return Wrong(keys.Name("attention.key_length"), "is not positive");
  if (!out.explicit_head_size.has_value() && out.hidden % out.heads != 0)
    return Wrong(keys.Name("attention.head_count"), "does not divide embedding_length");
  if (out.head_size() % 2 != 0) return Wrong(keys.Name("attention.key_length"), "is odd");
  return absl::OkStatus();
}

absl::Status ReadRope(const Keys& keys, HyperParameters& out) {
  ASSIGN_OR_RETURN(std::optional<double> base, keys.Number("rope.freq_base"));
  out.rope_base = base.value_or(10000.0);
  ASSIGN_OR_RETURN(out.original_context, keys.Optional("rope.scaling.original_context_length"));
  ASSIGN_OR_RETURN(std::optional<int64_t> rotated, keys.Optional("rope.dimension_count"));
  const int64_t rotary = rotated.value_or(out.head_size());
  if (rotary < 2 || rotary > out.head_size() || rotary % 2 != 0)
    return Wrong(keys.Name("rope.dimension_count"), absl::StrCat("is ", rotary));
  out.partial_rotary = static_cast<double>(rotary) / static_cast<double>(out.head_size());
  const std::string type = keys.Text("rope.scaling.type");
  if (type.empty() || type == "none" || type == "longrope") return absl::OkStatus();
  RopeScaling scaling;
  scaling.type = type;
  ASSIGN_OR_RETURN(scaling.factor, keys.Number("rope.scaling.factor"));
  out.rope_scaling = scaling;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<int64_t>> GgufInteger(const GgufMetadata& metadata, const std::string& key) {
  const GgufValue* value = FindGgufValue(metadata, key);
  if (value == nullptr) return std::nullopt;
  return std::visit(
      [&](const auto& held) -> absl::StatusOr<std::optional<int64_t>> {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_integral_v<Held> && !std::is_same_v<Held, bool>) {
          if (std::cmp_greater_equal(held, 0) && std::cmp_less_equal(held, kLargestDimension))
            return static_cast<int64_t>(held);
          return Wrong(key, absl::StrCat("is ", held));
        }
        return Wrong(key, "is no whole number, the same for all layers");
      },
      *value);
}

absl::StatusOr<HyperParameters> ReadGgufParameters(const GgufMetadata& metadata,
                                                   const Architecture& architecture,
                                                   const std::vector<SourceTensor>& tensors) {
  const Keys keys(metadata, architecture);
  HyperParameters out;
  ASSIGN_OR_RETURN(out.layers, keys.Positive("block_count"));
  ASSIGN_OR_RETURN(out.context, keys.Positive("context_length"));
  ASSIGN_OR_RETURN(out.hidden, keys.Positive("embedding_length"));
  ASSIGN_OR_RETURN(out.feed_forward, keys.Positive("feed_forward_length"));
  RETURN_IF_ERROR(ReadHeads(keys, out));
  RETURN_IF_ERROR(ReadRope(keys, out));
  ASSIGN_OR_RETURN(std::optional<double> epsilon, keys.Number("attention.layer_norm_rms_epsilon"));
  if (!epsilon.has_value()) return Wrong(keys.Name("attention.layer_norm_rms_epsilon"), "is missing");
  out.norm_epsilon = *epsilon;
  ASSIGN_OR_RETURN(out.sliding_window, keys.Optional("attention.sliding_window"));
  if (out.sliding_window == 0) out.sliding_window.reset();
  const auto find = [&](std::string_view name) {
    return std::find_if(tensors.begin(), tensors.end(),
                        [&](const SourceTensor& tensor) { return tensor.name == name; });
  };
  const auto embedding = find("token_embd.weight");
  if (embedding == tensors.end())
    return absl::InvalidArgumentError("the file lacks the tensor token_embd.weight");
  out.vocabulary = embedding->rows();
  out.tied_embeddings = find("output.weight") == tensors.end();
  return out;
}

}  // namespace quantd
