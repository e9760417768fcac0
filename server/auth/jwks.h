// JSON Web Key Sets (RFC 7517): the public keys of an issuer of JSON Web Tokens.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/auth/openssl.h"

namespace quantd {

enum class JwtAlgorithm { kRs256, kEs256 };

// A key verifies signatures of one algorithm only, whatever a token says.
struct Jwk {
  JwtAlgorithm algorithm = JwtAlgorithm::kRs256;
  UniqueKey key;

  // Of `text`; for ES256 `signature` is r and s, 32 bytes each (RFC 7518).
  bool Verifies(std::string_view text, std::string_view signature) const;
};

using Jwks = std::map<std::string, Jwk, std::less<>>;  // by key id

// Keys for encryption and of types that are not known are passed over. INVALID_ARGUMENT, beginning with
// `what`: no JSON Web Key Set, no usable key, a key without an id, an id twice, an RSA key under 2048 bits, a
// point that is not on its curve, a private key.
absl::StatusOr<Jwks> ParseJwks(std::string_view text, std::string_view what);

}  // namespace quantd
