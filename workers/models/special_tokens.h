// Which tokens begin, end and pad a text, from tokenizer.json's post-processor, tokenizer_config.json and
// config.json.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "workers/models/tokenizer.h"

namespace quantd {

// Fills special_ids and add_special of `out`. Ids that are no number of the vocabulary are left out.
// `tokenizer` and `tokenizer_config` are null-valued when the file is missing. Only texts of added tokens are
// looked up in `tokenizer`.
void ReadSpecialTokens(const Json& tokenizer, Json tokenizer_config, const Json& config, Tokenizer& out);

}  // namespace quantd
