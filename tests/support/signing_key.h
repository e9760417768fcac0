// An issuer's key, made anew: its JSON Web Key, and tokens that it signs.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "server/auth/openssl.h"

namespace quantd {

class SigningKey {
 public:
  static SigningKey Rsa(const std::string& id, int bits = 2048);
  // `curve` as OpenSSL names it: "P-256", "P-384".
  static SigningKey Ec(const std::string& id, const char* curve = "P-256");

  // The public key.
  Json Jwk() const;
  // {"alg", "kid", "typ"} for this key.
  Json Header() const;
  // A token with that header, signed by this key with SHA-256 whatever the header says.
  std::string Sign(const Json& header, const Json& claims) const {
    return SignText(header.dump(), claims.dump());
  }
  std::string Sign(const Json& claims) const { return Sign(Header(), claims); }
  std::string SignText(std::string_view header, std::string_view claims) const;
  // The public key in PEM form.
  std::string PublicPem() const;

 private:
  std::string id_;
  std::string curve_;  // empty: RSA
  UniqueKey key_;
};

// {"keys": […]}
std::string KeySet(std::initializer_list<Json> keys);

}  // namespace quantd
