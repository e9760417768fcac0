// tokenizer.json's decoder.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "workers/models/targets/openvino/added_tokens.h"
#include "workers/models/targets/openvino/tokenizer_steps.h"

namespace quantd {

// `texts` are the tokens by id. What a decoder does to single tokens is done to them here; what it does to
// the whole text is left to replacements. FAILED_PRECONDITION for decoders that can't be cut like this.
absl::StatusOr<TokenDecoder> ReadTokenDecoder(const Json& decoder, std::vector<std::string> texts,
                                              const std::vector<AddedToken>& added);

}  // namespace quantd
