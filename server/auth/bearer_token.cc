#include "server/auth/bearer_token.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/random_id.h"
#include "base/sha256.h"

namespace quantd {
namespace {

constexpr std::string_view kPrefix = "qt_";
constexpr size_t kIdLength = 16;
constexpr size_t kSecretLength = 64;

bool IsLowerAlphanumeric(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

std::string HashOf(const std::string& salt, const std::string& secret) {
  return Sha256Hex(absl::StrCat(salt, secret));
}

}  // namespace

NewToken MakeToken(const std::string& tenant, Role role, const std::string& name,
                   std::optional<absl::Time> expire_time) {
  const std::string secret = RandomSecret();
  NewToken token;
  token.record.id = RandomId();
  token.record.tenant = tenant;
  token.record.role = std::string(RoleName(role));
  token.record.name = name;
  token.record.salt = RandomId();
  token.record.hash = HashOf(token.record.salt, secret);
  token.record.expire_time = expire_time;
  token.text = absl::StrCat(std::string(kPrefix), token.record.id, "_", secret);
  return token;
}

bool LooksLikeToken(std::string_view text) { return text.substr(0, kPrefix.size()) == kPrefix; }

std::optional<TokenParts> ParseToken(std::string_view text) {
  if (!LooksLikeToken(text) || text.size() != kPrefix.size() + kIdLength + 1 + kSecretLength)
    return std::nullopt;
  const std::string_view id = text.substr(kPrefix.size(), kIdLength);
  const std::string_view secret = text.substr(text.size() - kSecretLength);
  if (text[kPrefix.size() + kIdLength] != '_' || !IsLowerAlphanumeric(id) || !IsLowerAlphanumeric(secret))
    return std::nullopt;
  return TokenParts{std::string(id), std::string(secret)};
}

bool MatchesToken(const TokenRecord& record, const std::string& secret) {
  const std::string hash = HashOf(record.salt, secret);
  return hash.size() == record.hash.size() &&
         CRYPTO_memcmp(hash.data(), record.hash.data(), hash.size()) == 0;
}

}  // namespace quantd
