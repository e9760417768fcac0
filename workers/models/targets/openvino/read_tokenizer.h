// tokenizer.json as steps of OpenVINO's tokenizer.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "workers/models/targets/openvino/tokenizer_steps.h"

namespace quantd {

// `config` is tokenizer_config.json: it says what a text begins and ends with where tokenizer.json has no
// template. Ids are below `vocabulary`. INVALID_ARGUMENT for a file that contradicts itself,
// FAILED_PRECONDITION for a tokenizer that OpenVINO's operations can't express.
absl::StatusOr<TokenizerSteps> ReadTokenizerSteps(const Json& tokenizer, const Json& config,
                                                  int64_t vocabulary);

// The id of a token that tokenizer_config.json names for a purpose, by its text or an object with one. Of a
// tokenizer that has been read.
std::optional<int32_t> FindToken(const Json& tokenizer, const Json& token);

}  // namespace quantd
