#include "server/auth/jwks.h"

#include <openssl/core_names.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/strict_json.h"
#include "server/auth/base64url.h"

namespace quantd {
namespace {

constexpr int kLeastRsaBits = 2048;
constexpr size_t kP256Bytes = 32;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Empty where there is no such text.
std::string TextOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

UniqueKey MakePublicKey(const char* type, OSSL_PARAM_BLD* builder) {
  const UniqueParameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const UniqueKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  UniqueKey owned(key);
  const UniqueKeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  return check != nullptr && EVP_PKEY_public_check(check.get()) == 1 ? std::move(owned) : nullptr;
}

absl::StatusOr<UniqueKey> ReadRsaKey(const Json& jwk) {
  const std::optional<std::string> n = DecodeBase64Url(TextOf(jwk, "n"));
  const std::optional<std::string> e = DecodeBase64Url(TextOf(jwk, "e"));
  constexpr size_t kMostModulusBytes = 1024;
  if (!n.has_value() || !e.has_value() || n->empty() || e->empty() || n->size() > kMostModulusBytes ||
      e->size() > sizeof(uint64_t)) {
    return absl::InvalidArgumentError("has no \"n\" or \"e\" of an RSA key");
  }
  const UniqueBignum modulus(BN_bin2bn(Bytes(*n), static_cast<int>(n->size()), nullptr));
  const UniqueBignum exponent(BN_bin2bn(Bytes(*e), static_cast<int>(e->size()), nullptr));
  if (BN_num_bits(modulus.get()) < kLeastRsaBits)
    return absl::InvalidArgumentError(absl::StrCat("has fewer than ", kLeastRsaBits, " bits"));
  const UniqueParameterBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  UniqueKey key = MakePublicKey("RSA", builder.get());
  if (key == nullptr) return absl::InvalidArgumentError("is no RSA key");
  return key;
}

absl::StatusOr<UniqueKey> ReadEcKey(const Json& jwk) {
  const std::optional<std::string> x = DecodeBase64Url(TextOf(jwk, "x"));
  const std::optional<std::string> y = DecodeBase64Url(TextOf(jwk, "y"));
  if (!x.has_value() || !y.has_value() || x->size() != kP256Bytes || y->size() != kP256Bytes)
    return absl::InvalidArgumentError("has no \"x\" and \"y\" of 32 bytes");
  const std::string point = absl::StrCat("\x04", *x, *y);  // uncompressed
  const UniqueParameterBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  UniqueKey key = MakePublicKey("EC", builder.get());
  if (key == nullptr) return absl::InvalidArgumentError("is no point of the curve P-256");
  return key;
}

// Nothing for a key that is not for one of our algorithms.
absl::StatusOr<std::optional<Jwk>> ReadKey(const Json& jwk) {
  if (!jwk.is_object()) return absl::InvalidArgumentError("is no object");
  const std::string type = TextOf(jwk, "kty"), use = TextOf(jwk, "use"), algorithm = TextOf(jwk, "alg");
  if (jwk.contains("d") || type == "oct") return absl::InvalidArgumentError("is a private key");
  if (!use.empty() && use != "sig") return std::nullopt;
  Jwk out;
  if (type == "RSA" && (algorithm.empty() || algorithm == "RS256")) {
    out.algorithm = JwtAlgorithm::kRs256;
    ASSIGN_OR_RETURN(out.key, ReadRsaKey(jwk));
  } else if (type == "EC" && TextOf(jwk, "crv") == "P-256" && (algorithm.empty() || algorithm == "ES256")) {
    out.algorithm = JwtAlgorithm::kEs256;
    ASSIGN_OR_RETURN(out.key, ReadEcKey(jwk));
  } else {
    return std::nullopt;
  }
  return out;
}

// The form that OpenSSL verifies: DER. Empty when `signature` is not of two numbers.
std::string DerOfEcdsa(std::string_view signature) {
  if (signature.size() != 2 * kP256Bytes) return "";
  const UniqueEcdsaSignature parts(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(Bytes(signature), kP256Bytes, nullptr);
  BIGNUM* s = BN_bin2bn(Bytes(signature.substr(kP256Bytes)), kP256Bytes, nullptr);
  ECDSA_SIG_set0(parts.get(), r, s);  // owns both
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(parts.get(), &der);
  std::string out(reinterpret_cast<const char*>(der), size > 0 ? static_cast<size_t>(size) : 0);
  OPENSSL_free(der);
  return out;
}

}  // namespace

bool Jwk::Verifies(std::string_view text, std::string_view signature) const {
  const std::string der = algorithm == JwtAlgorithm::kEs256 ? DerOfEcdsa(signature) : std::string(signature);
  const UniqueDigestContext context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), Bytes(der), der.size(), Bytes(text), text.size()) == 1;
}

absl::StatusOr<Jwks> ParseJwks(std::string_view text, std::string_view what) {
  ASSIGN_OR_RETURN(const Json json, ParseStrictJson(text, what));
  const std::string name(what);
  const auto keys = json.is_object() ? json.find("keys") : json.end();
  if (!json.is_object() || keys == json.end() || !keys->is_array())
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": is no JSON Web Key Set: it has no list \"keys\""));
  Jwks jwks;
  for (size_t i = 0; i < keys->size(); ++i) {
    const std::string where = absl::StrCat(name, ": keys[", i, "]");
    absl::StatusOr<std::optional<Jwk>> key = ReadKey((*keys)[i]);
    if (!key.ok()) return Annotate(key.status(), where);
    if (!key->has_value()) continue;
    const std::string id = TextOf((*keys)[i], "kid");
    if (id.empty()) return absl::InvalidArgumentError(absl::StrCat(where, ": has no \"kid\""));
    if (!jwks.emplace(id, **std::move(key)).second)
      return absl::InvalidArgumentError(absl::StrCat(where, ": another key has the \"kid\" ", id));
  }
  if (jwks.empty())
    return absl::InvalidArgumentError(absl::StrCat(name, ": has no key for RS256 or ES256 (P-256)"));
  return jwks;
}

}  // namespace quantd
