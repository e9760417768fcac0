// JSON Web Key Sets.
#include "server/auth/jwks.h"

#include <gmock/gmock.h>

#include "server/auth/base64url.h"
#include "tests/support/signing_key.h"

namespace quantd {
namespace {

std::string Refusal(const std::string& text) {
  const absl::StatusOr<Jwks> keys = ParseJwks(text, "keys.json");
  if (keys.ok()) return "accepted";
  EXPECT_TRUE(absl::IsInvalidArgument(keys.status())) << keys.status();
  EXPECT_EQ(keys.status().message().rfind("keys.json", 0), 0u) << keys.status();
  return std::string(keys.status().message());
}

TEST(Jwks, KeysAreFoundByTheirId) {
  const absl::StatusOr<Jwks> keys =
      ParseJwks(KeySet({SigningKey::Rsa("a").Jwk(), SigningKey::Ec("b").Jwk()}), "keys.json");
  ASSERT_TRUE(keys.ok()) << keys.status();
  ASSERT_EQ(keys->size(), 2u);
  EXPECT_EQ(keys->at("a").algorithm, JwtAlgorithm::kRs256);
  EXPECT_EQ(keys->at("b").algorithm, JwtAlgorithm::kEs256);
}

TEST(Jwks, KeysThatAreNotForUsArePassedOver) {
  Json encryption = SigningKey::Rsa("e").Jwk();
  encryption["use"] = "enc";
  Json other_algorithm = SigningKey::Rsa("p").Jwk();
  other_algorithm["alg"] = "PS256";
  const Json unknown = {{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "AA"}, {"kid", "o"}};
  const Json other_curve = SigningKey::Ec("c", "P-384").Jwk();
  const absl::StatusOr<Jwks> keys = ParseJwks(
      KeySet({encryption, other_algorithm, unknown, other_curve, SigningKey::Ec("b").Jwk()}), "keys.json");
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(keys->size(), 1u);
  EXPECT_THAT(Refusal(KeySet({encryption, unknown, other_curve})),
              testing::HasSubstr("no key for RS256 or ES256"));
}

TEST(Jwks, WhatIsNoKeySetIsRefused) {
  for (const char* text :
       {"", "[]", "{}", "null", R"({"keys":{}})", R"({"keys":[]})", R"({"keys":[1]})", "{"})
    EXPECT_NE(Refusal(text), "accepted") << text;
}

TEST(Jwks, EveryKeyHasAnIdOfItsOwn) {
  Json nameless = SigningKey::Ec("a").Jwk();
  nameless.erase("kid");
  EXPECT_THAT(Refusal(KeySet({nameless})), testing::HasSubstr("keys[0]: has no \"kid\""));
  EXPECT_THAT(Refusal(KeySet({SigningKey::Ec("a").Jwk(), SigningKey::Ec("a").Jwk()})),
              testing::HasSubstr("keys[1]: another key has"));
}

TEST(Jwks, WeakAndBrokenKeysAreRefused) {
  EXPECT_THAT(Refusal(KeySet({SigningKey::Rsa("a", 1024).Jwk()})),
              testing::HasSubstr("fewer than 2048 bits"));
  Json key = SigningKey::Rsa("a").Jwk();
  key["n"] = "not base64url!";
  EXPECT_THAT(Refusal(KeySet({key})), testing::HasSubstr("\"n\" or \"e\""));
  key = SigningKey::Ec("a").Jwk();
  key["y"] = key["x"];
  EXPECT_THAT(Refusal(KeySet({key})), testing::HasSubstr("no point of the curve"));
  key["y"] = "AAAA";
  EXPECT_THAT(Refusal(KeySet({key})), testing::HasSubstr("32 bytes"));
  // A curve that the name does not say.
  key = SigningKey::Ec("a", "P-384").Jwk();
  key["crv"] = "P-256";
  EXPECT_THAT(Refusal(KeySet({key})), testing::HasSubstr("32 bytes"));
}

TEST(Jwks, SecretsHaveNoPlaceInIt) {
  Json key = SigningKey::Ec("a").Jwk();
  key["d"] = "AAAA";
  EXPECT_THAT(Refusal(KeySet({key})), testing::HasSubstr("private key"));
  EXPECT_THAT(Refusal(KeySet({Json{{"kty", "oct"}, {"k", "AAAA"}, {"kid", "s"}}})),
              testing::HasSubstr("private key"));
}

TEST(Base64Url, OneTextForEachValue) {
  for (const std::string& bytes :
       {std::string(), std::string("a"), std::string("ab"), std::string("\xff\xfe\xfd")})
    EXPECT_EQ(DecodeBase64Url(EncodeBase64Url(bytes)), bytes);
  EXPECT_EQ(EncodeBase64Url("\xff\xfe\xfd"), "__79");
  // Padding, the other alphabet, white space, a length that is none, bits after the last byte.
  for (const char* text : {"YQ==", "//79", "YW Jj", "YWJj\n", "Y", "YR"})
    EXPECT_EQ(DecodeBase64Url(text), std::nullopt) << text;
}

}  // namespace
}  // namespace quantd
