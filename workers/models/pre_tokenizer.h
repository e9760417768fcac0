// llama.cpp's names of pre-tokenizers.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace quantd {

// The name of the way in which tokenizer.json splits text before merging. llama.cpp's converter finds it by
// encoding a fixed text and hashing the ids; here the splitting rules themselves are compared.
// FAILED_PRECONDITION when they are none of the known ones: a file with the wrong name would load and be
// silently worse.
absl::StatusOr<std::string> PreTokenizerName(const Json& tokenizer);

// The inverse: tokenizer.json's "pre_tokenizer" for one of those names. FAILED_PRECONDITION when it is not
// known.
absl::StatusOr<Json> PreTokenizerSteps(const std::string& name);

}  // namespace quantd
