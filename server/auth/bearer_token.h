// Bearer tokens that quantd issues: "qt_ID_SECRET". The catalogue keeps a salted hash of the secret. The
// secret has 256 random bits, so that one SHA-256 is enough: there is nothing to guess that a slow hash would
// protect.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/auth/caller.h"
#include "storage/catalogue/records.h"

namespace quantd {

struct NewToken {
  std::string text;    // what the caller gets, once
  TokenRecord record;  // what is kept; the catalogue sets create_time
};

NewToken MakeToken(const std::string& tenant, Role role, const std::string& name,
                   std::optional<absl::Time> expire_time);

struct TokenParts {
  std::string id;
  std::string secret;
};

// Whether the text is of the form of a token at all ("qt_…"), valid or not.
bool LooksLikeToken(std::string_view text);
// Nothing for a text of another form.
std::optional<TokenParts> ParseToken(std::string_view text);

// In a time that does not depend on where the hashes differ.
bool MatchesToken(const TokenRecord& record, const std::string& secret);

}  // namespace quantd
