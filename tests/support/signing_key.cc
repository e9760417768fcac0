#include "tests/support/signing_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <vector>

#include "server/auth/base64url.h"

namespace quantd {
namespace {

std::string Bytes(const BIGNUM* number, int size) {
  std::string out(static_cast<size_t>(size), '\0');
  BN_bn2binpad(number, reinterpret_cast<unsigned char*>(out.data()), size);
  return out;
}

std::string NumberOf(const EVP_PKEY* key, const char* name, int size) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, name, &number);
  const UniqueBignum owned(number);
  return EncodeBase64Url(Bytes(number, size == 0 ? BN_num_bytes(number) : size));
}

// Of a DER signature: r and s, of `size` bytes each.
std::string RawEcdsa(const std::string& der, int size) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const UniqueEcdsaSignature parts(d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size())));
  return Bytes(ECDSA_SIG_get0_r(parts.get()), size) + Bytes(ECDSA_SIG_get0_s(parts.get()), size);
}

}  // namespace

SigningKey SigningKey::Rsa(const std::string& id, int bits) {
  SigningKey out;
  out.id_ = id;
  out.key_.reset(EVP_RSA_gen(static_cast<unsigned int>(bits)));
  return out;
}

SigningKey SigningKey::Ec(const std::string& id, const char* curve) {
  SigningKey out;
  out.id_ = id;
  out.curve_ = curve;
  out.key_.reset(EVP_EC_gen(curve));
  return out;
}

Json SigningKey::Jwk() const {
  if (curve_.empty()) {
    return {{"kty", "RSA"},
            {"use", "sig"},
            {"kid", id_},
            {"n", NumberOf(key_.get(), OSSL_PKEY_PARAM_RSA_N, 0)},
            {"e", NumberOf(key_.get(), OSSL_PKEY_PARAM_RSA_E, 0)}};
  }
  const int size = (EVP_PKEY_get_bits(key_.get()) + 7) / 8;
  return {{"kty", "EC"},
          {"use", "sig"},
          {"kid", id_},
          {"crv", curve_},
          {"x", NumberOf(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X, size)},
          {"y", NumberOf(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, size)}};
}

Json SigningKey::Header() const {
  return {{"alg", curve_.empty() ? "RS256" : "ES256"}, {"kid", id_}, {"typ", "JWT"}};
}

std::string SigningKey::SignText(std::string_view header, std::string_view claims) const {
  const std::string text = EncodeBase64Url(header) + "." + EncodeBase64Url(claims);
  const UniqueDigestContext context(EVP_MD_CTX_new());
  EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get());
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t size = 0;
  EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size());
  std::string signature(size, '\0');
  EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                 text.size());
  signature.resize(size);
  if (!curve_.empty()) signature = RawEcdsa(signature, (EVP_PKEY_get_bits(key_.get()) + 7) / 8);
  return text + "." + EncodeBase64Url(signature);
}

std::string SigningKey::PublicPem() const {
  const UniqueBio out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(out.get(), key_.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<size_t>(size)};
}

std::string KeySet(std::initializer_list<Json> keys) {
  return Json{{"keys", std::vector<Json>(keys)}}.dump();
}

}  // namespace quantd
