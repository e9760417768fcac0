// JSON Web Tokens (RFC 7519) signed with RS256 or ES256, as Kubernetes' service accounts and CI systems
// present them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/auth/jwks.h"

namespace quantd {

// Tokens of this issuer for this audience are accepted when one of the keys has signed them.
struct JwtIssuer {
  std::string issuer;
  std::string audience;
  std::shared_ptr<const Jwks> keys;
};

struct JwtIdentity {
  size_t issuer = 0;  // index in the list of issuers
  std::string subject;
};

// Clocks may differ by so much.
inline constexpr absl::Duration kJwtClockSkew = absl::Seconds(60);

// UNAUTHENTICATED, with the reason, unless the token is of one of the issuers and valid now: it must have a
// key id that the issuer's key set has, the algorithm of that key, an expiry and a subject. Extensions that
// the token calls critical are not known. No text of the token is in the message.
absl::StatusOr<JwtIdentity> VerifyJwt(std::string_view token, const std::vector<JwtIssuer>& issuers,
                                      absl::Time now);

}  // namespace quantd
