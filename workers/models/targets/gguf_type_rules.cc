#include "workers/models/targets/gguf_type_rules.h"

#include <algorithm>
#include <array>

namespace quantd {
namespace {

using Names = std::array<std::string_view, 7>;  // unused ones are empty

bool Contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr Names kBelowThreeBits = {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M"};

bool Always(const MatrixPlace& /*place*/) { return true; }
bool ValuesAreShared(const MatrixPlace& place) { return place.queries_per_value >= 4; }
bool NoImportance(const MatrixPlace& place) { return !place.has_importance; }
bool FirstTwo(const MatrixPlace& place) { return place.index < 2; }
bool FirstFour(const MatrixPlace& place) { return place.index < 4; }
bool FirstSixteenth(const MatrixPlace& place) { return place.index < place.layers / 16; }
bool FirstEighth(const MatrixPlace& place) { return place.index < place.layers / 8; }
bool LastEighth(const MatrixPlace& place) { return place.index >= 7 * place.layers / 8; }
bool Between(const MatrixPlace& place) { return !FirstEighth(place) && !LastEighth(place); }
bool FirstEighthWithImportance(const MatrixPlace& place) {
  return FirstEighth(place) && place.has_importance;
}
bool FirstEighthNoImportance(const MatrixPlace& place) { return FirstEighth(place) && !place.has_importance; }
// The layers that matter most: the first and last eighth, and every third between.
bool Sensitive(const MatrixPlace& place) {
  return !Between(place) || (place.index - place.layers / 8) % 3 == 2;
}

struct Rule {
  Names file_types;
  TensorRole role;
  bool (*applies)(const MatrixPlace&);
  std::string_view type;
};

// The first rule that applies decides; without one a matrix has the file type's own type.
constexpr Rule kRules[] = {
    {{"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS"},
     TensorRole::kOutput,
     Always,
     "Q5_K"},
    {{"Q8_0"}, TensorRole::kOutput, Always, "Q8_0"},

    {{"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"}, TensorRole::kTokenEmbedding, Always, "Q2_K"},
    {{"IQ2_S", "IQ2_M", "IQ3_XXS"}, TensorRole::kTokenEmbedding, Always, "IQ3_S"},
    // Ternary rows would lose what distinguishes tokens.
    {{"TQ1_0", "TQ2_0", "Q2_0"}, TensorRole::kTokenEmbedding, Always, "Q4_K"},

    {{"IQ3_XXS"}, TensorRole::kAttentionQuery, Always, "IQ2_S"},
    {{"IQ3_XS"}, TensorRole::kAttentionQuery, Always, "IQ3_XXS"},

    {{"IQ3_XXS"}, TensorRole::kAttentionKey, Always, "IQ2_S"},
    {{"IQ3_XS"}, TensorRole::kAttentionKey, Always, "IQ3_XXS"},

    {kBelowThreeBits, TensorRole::kAttentionValue, ValuesAreShared, "Q4_K"},
    {{"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"}, TensorRole::kAttentionValue, Always, "Q2_K"},
    {{"IQ2_S", "IQ2_M"}, TensorRole::kAttentionValue, Always, "IQ3_S"},
    {{"IQ3_XXS", "IQ3_XS", "IQ3_S"}, TensorRole::kAttentionValue, ValuesAreShared, "Q4_K"},
    {{"IQ3_XXS"}, TensorRole::kAttentionValue, NoImportance, "IQ3_S"},
    {{"IQ3_M"}, TensorRole::kAttentionValue, Always, "Q4_K"},
    {{"IQ4_NL", "IQ4_XS"}, TensorRole::kAttentionValue, ValuesAreShared, "Q5_K"},
    {{"Q2_K_S", "Q2_K"}, TensorRole::kAttentionValue, ValuesAreShared, "Q4_K"},
    {{"Q2_K"}, TensorRole::kAttentionValue, Always, "Q3_K"},
    {{"Q3_K_M"}, TensorRole::kAttentionValue, FirstTwo, "Q5_K"},
    {{"Q3_K_M"}, TensorRole::kAttentionValue, Always, "Q4_K"},
    {{"Q3_K_L"}, TensorRole::kAttentionValue, Always, "Q5_K"},
    {{"Q4_K_S"}, TensorRole::kAttentionValue, FirstFour, "Q5_K"},
    {{"Q4_K_M", "Q5_K_M"}, TensorRole::kAttentionValue, Sensitive, "Q6_K"},

    {{"IQ1_S", "IQ1_M"}, TensorRole::kAttentionOutput, Always, "IQ2_XXS"},
    {{"IQ2_S", "IQ2_M", "IQ3_XXS"}, TensorRole::kAttentionOutput, Always, "IQ3_S"},
    {{"IQ3_M"}, TensorRole::kAttentionOutput, Always, "Q4_K"},
    {{"Q2_K"}, TensorRole::kAttentionOutput, Always, "Q3_K"},
    {{"Q3_K_M"}, TensorRole::kAttentionOutput, Always, "Q4_K"},
    {{"Q3_K_L"}, TensorRole::kAttentionOutput, Always, "Q5_K"},

    {{"IQ3_XS"}, TensorRole::kFeedForwardGate, Between, "IQ3_XXS"},
    {{"IQ3_XS"}, TensorRole::kFeedForwardUp, Between, "IQ3_XXS"},

    {{"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"}, TensorRole::kFeedForwardDown, FirstEighth, "Q2_K"},
    {{"IQ2_S", "IQ2_M"}, TensorRole::kFeedForwardDown, FirstEighth, "IQ3_S"},
    {{"IQ3_XXS"}, TensorRole::kFeedForwardDown, FirstEighthNoImportance, "Q4_K"},
    {{"IQ3_XXS"}, TensorRole::kFeedForwardDown, NoImportance, "Q3_K"},
    {{"IQ3_M"}, TensorRole::kFeedForwardDown, FirstEighth, "Q4_K"},
    {{"IQ4_NL", "IQ4_XS"}, TensorRole::kFeedForwardDown, FirstEighthNoImportance, "Q5_K"},
    {{"Q2_K_S"}, TensorRole::kFeedForwardDown, FirstEighth, "Q4_K"},
    {{"Q2_K"}, TensorRole::kFeedForwardDown, Always, "Q3_K"},
    {{"Q3_K_M"}, TensorRole::kFeedForwardDown, FirstSixteenth, "Q5_K"},
    {{"Q3_K_M"}, TensorRole::kFeedForwardDown, Always, "Q4_K"},
    {{"Q3_K_L"}, TensorRole::kFeedForwardDown, Always, "Q5_K"},
    {{"Q4_K_S"}, TensorRole::kFeedForwardDown, FirstEighth, "Q5_K"},
    {{"Q4_K_M", "Q5_K_M"}, TensorRole::kFeedForwardDown, Sensitive, "Q6_K"},
    {{"Q4_0"}, TensorRole::kFeedForwardDown, FirstEighthWithImportance, "Q4_1"},
    {{"Q5_0"}, TensorRole::kFeedForwardDown, FirstEighthWithImportance, "Q5_1"},
};

std::string_view TypeByRule(const GgufFileType& file_type, const MatrixPlace& place) {
  for (const Rule& rule : kRules) {
    if (rule.role == place.role && Contains(rule.file_types, file_type.name) && rule.applies(place))
      return rule.type;
  }
  return place.role == TensorRole::kOutput ? "Q6_K" : file_type.codec;
}

}  // namespace

TensorRole RoleInMix(TensorRole role, bool is_tied) {
  switch (role) {
    case TensorRole::kTokenEmbedding:
      return is_tied ? TensorRole::kOutput : role;
    case TensorRole::kAttentionQueryKeyValue:
      return TensorRole::kAttentionValue;
    case TensorRole::kFeedForwardGateUp:
      return TensorRole::kFeedForwardUp;
    default:
      return role;
  }
}

std::string_view TypeInMix(const GgufFileType& file_type, const MatrixPlace& place) {
  // Experts would be MXFP4; the families here have none.
  if (file_type.name == "MXFP4_MOE") return "Q8_0";
  if (place.role == TensorRole::kOutput && !place.is_whole_blocks) return "Q8_0";
  const std::string_view type = TypeByRule(file_type, place);
  // Eight queries share a value head there: more bits cost little.
  const bool is_raised =
      place.is_70b && place.role == TensorRole::kAttentionValue && !Contains(kBelowThreeBits, file_type.name);
  return is_raised && (type == "Q3_K" || type == "Q4_K") ? "Q5_K" : type;
}

std::string_view TypeOfSmallerBlocks(std::string_view type) {
  constexpr std::pair<Names, std::string_view> kSmaller[] = {
      {{"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"}, "IQ4_NL"},
      {{"IQ4_XS"}, "IQ4_NL"},
      {{"Q2_K", "Q3_K", "TQ1_0", "TQ2_0", "Q2_0"}, "Q4_0"},
      {{"Q4_K"}, "Q5_0"},
      {{"Q5_K"}, "Q5_1"},
      {{"Q6_K"}, "Q8_0"},
  };
  for (const auto& [types, smaller] : kSmaller) {
    if (Contains(types, type)) return smaller;
  }
  return type;
}

bool IsUselessWithoutImportance(const GgufFileType& file_type, std::string_view type) {
  constexpr Names kUseless = {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS"};
  return Contains(kUseless, type) || (file_type.name == "Q2_K_S" && type == "Q2_K");
}

}  // namespace quantd
