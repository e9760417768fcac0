// JSON Web Tokens: what is accepted, and every known way to be fooled.
#include "server/auth/jwt.h"

#include <gmock/gmock.h>
#include <openssl/hmac.h>

#include "server/auth/base64url.h"
#include "tests/support/signing_key.h"

namespace quantd {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
constexpr int64_t kNowSeconds = 1'800'000'000;

class JwtTest : public testing::Test {
 protected:
  static std::shared_ptr<const Jwks> Keys(const std::string& text) {
    auto keys = ParseJwks(text, "jwks");
    EXPECT_TRUE(keys.ok()) << keys.status();
    return keys.ok() ? std::make_shared<const Jwks>(*std::move(keys)) : std::make_shared<const Jwks>();
  }

  static Json Claims() {
    return {{"iss", "https://a"},
            {"aud", "quantd"},
            {"sub", "system:serviceaccount:team:runner"},
            {"exp", kNowSeconds + 600}};
  }
  static Json With(const char* claim, const Json& value) {
    Json claims = Claims();
    claims[claim] = value;
    return claims;
  }
  static Json Without(const char* claim) {
    Json claims = Claims();
    claims.erase(claim);
    return claims;
  }

  absl::StatusOr<JwtIdentity> Verify(const std::string& token, absl::Time now = kNow) const {
    return VerifyJwt(token, issuers_, now);
  }
  std::string Refusal(const std::string& token, absl::Time now = kNow) const {
    const absl::StatusOr<JwtIdentity> identity = Verify(token, now);
    if (identity.ok()) return "accepted";
    EXPECT_TRUE(absl::IsUnauthenticated(identity.status())) << identity.status();
    return std::string(identity.status().message());
  }

  // Made once: it takes long.
  static const SigningKey& RsaKey() {
    static const SigningKey key = SigningKey::Rsa("rsa-1");
    return key;
  }

  const SigningKey& rsa_ = RsaKey();
  const SigningKey ec_ = SigningKey::Ec("ec-1");
  const SigningKey other_ = SigningKey::Ec("ec-1");  // the same id at another issuer
  const std::vector<JwtIssuer> issuers_ = {
      {"https://a", "quantd", Keys(KeySet({rsa_.Jwk(), ec_.Jwk()}))},
      {"https://b", "builds", Keys(KeySet({other_.Jwk()}))},
      {"https://a", "second", Keys(KeySet({ec_.Jwk()}))},
  };
};

TEST_F(JwtTest, BothAlgorithmsAreAccepted) {
  for (const SigningKey* key : {&rsa_, &ec_}) {
    const absl::StatusOr<JwtIdentity> identity = Verify(key->Sign(Claims()));
    ASSERT_TRUE(identity.ok()) << identity.status();
    EXPECT_EQ(identity->issuer, 0u);
    EXPECT_EQ(identity->subject, "system:serviceaccount:team:runner");
  }
}

TEST_F(JwtTest, AKeyCountsForItsOwnIssuerOnly) {
  const Json claims = {{"iss", "https://b"}, {"aud", "builds"}, {"sub", "ci"}, {"exp", kNowSeconds + 1}};
  EXPECT_EQ(Verify(other_.Sign(claims))->issuer, 1u);
  EXPECT_THAT(Refusal(ec_.Sign(claims)), testing::HasSubstr("wrong signature"));
  EXPECT_THAT(Refusal(other_.Sign(Claims())), testing::HasSubstr("wrong signature"));
  EXPECT_THAT(Refusal(rsa_.Sign(claims)), testing::HasSubstr("key set does not have"));
}

TEST_F(JwtTest, TheAudienceIsATextOrOneOfAList) {
  EXPECT_TRUE(Verify(rsa_.Sign(With("aud", {"x", "quantd"}))).ok());
  EXPECT_EQ(Verify(ec_.Sign(With("aud", "second")))->issuer, 2u);
  for (const Json& audience : {Json("other"), Json::array(), Json(7), Json("quantd2"), Json{{"quantd", 1}}})
    EXPECT_THAT(Refusal(rsa_.Sign(With("aud", audience))), testing::HasSubstr("another audience"))
        << audience;
  EXPECT_THAT(Refusal(rsa_.Sign(Without("aud"))), testing::HasSubstr("another audience"));
}

TEST_F(JwtTest, TimesHoldWithAMinuteForClocksThatDiffer) {
  EXPECT_TRUE(Verify(rsa_.Sign(With("exp", kNowSeconds - 59))).ok());
  EXPECT_THAT(Refusal(rsa_.Sign(With("exp", kNowSeconds - 60))), testing::HasSubstr("has expired"));
  EXPECT_TRUE(Verify(rsa_.Sign(With("nbf", kNowSeconds + 60))).ok());
  EXPECT_THAT(Refusal(rsa_.Sign(With("nbf", kNowSeconds + 61))), testing::HasSubstr("not valid yet"));
  EXPECT_TRUE(Verify(rsa_.Sign(With("exp", kNowSeconds + 0.5))).ok()) << "a fraction is allowed";
}

TEST_F(JwtTest, AnExpiryMustBeThereAndATime) {
  EXPECT_THAT(Refusal(rsa_.Sign(Without("exp"))), testing::HasSubstr("no expiry"));
  for (const Json& time :
       {Json("1900000000"), Json(true), Json(nullptr), Json(1e300), Json(-1), Json::array()}) {
    EXPECT_THAT(Refusal(rsa_.Sign(With("exp", time))), testing::HasSubstr("no expiry")) << time;
    EXPECT_THAT(Refusal(rsa_.Sign(With("nbf", time))), testing::HasSubstr("no time")) << time;
  }
}

TEST_F(JwtTest, ASubjectMustBeThere) {
  EXPECT_THAT(Refusal(rsa_.Sign(Without("sub"))), testing::HasSubstr("no subject"));
  EXPECT_THAT(Refusal(rsa_.Sign(With("sub", ""))), testing::HasSubstr("no subject"));
  EXPECT_THAT(Refusal(rsa_.Sign(With("sub", 5))), testing::HasSubstr("no subject"));
}

TEST_F(JwtTest, AnIssuerMustBeKnown) {
  EXPECT_THAT(Refusal(rsa_.Sign(With("iss", "https://c"))), testing::HasSubstr("issuer that is not known"));
  EXPECT_THAT(Refusal(rsa_.Sign(With("iss", Json::array({"https://a"})))), testing::HasSubstr("not known"));
  EXPECT_THAT(Refusal(rsa_.Sign(Without("iss"))), testing::HasSubstr("not known"));
}

TEST_F(JwtTest, NoOtherAlgorithm) {
  for (const char* algorithm :
       {"none", "None", "nOnE", "HS256", "RS384", "PS256", "ES384", "EdDSA", "", "rs256"}) {
    Json header = rsa_.Header();
    header["alg"] = algorithm;
    EXPECT_THAT(Refusal(rsa_.Sign(header, Claims())), testing::HasSubstr("not signed with")) << algorithm;
    const std::string unsigned_token =
        EncodeBase64Url(header.dump()) + "." + EncodeBase64Url(Claims().dump()) + ".";
    EXPECT_THAT(Refusal(unsigned_token), testing::HasSubstr("not signed with")) << algorithm;
  }
  Json header = rsa_.Header();
  header.erase("alg");
  EXPECT_THAT(Refusal(rsa_.Sign(header, Claims())), testing::HasSubstr("not signed with"));
}

TEST_F(JwtTest, ThePublicKeyIsNoSecretOfHmac) {
  const std::string secret = rsa_.PublicPem();
  for (const char* algorithm : {"HS256", "RS256"}) {
    const Json header = {{"alg", algorithm}, {"kid", "rsa-1"}};
    const std::string text = EncodeBase64Url(header.dump()) + "." + EncodeBase64Url(Claims().dump());
    std::array<unsigned char, 32> mac{};
    unsigned int size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &size);
    const std::string_view signature(reinterpret_cast<const char*>(mac.data()), size);
    EXPECT_NE(Refusal(text + "." + EncodeBase64Url(signature)), "accepted") << algorithm;
  }
}

TEST_F(JwtTest, AKeyVerifiesItsOwnAlgorithmOnly) {
  Json header = ec_.Header();
  header["kid"] = "rsa-1";
  EXPECT_NE(Refusal(ec_.Sign(header, Claims())), "accepted");
  header = rsa_.Header();
  header["alg"] = "ES256";
  EXPECT_NE(Refusal(rsa_.Sign(header, Claims())), "accepted");
}

TEST_F(JwtTest, AKeyIdMustBeThere) {
  for (const Json& id : {Json(), Json(""), Json(1)}) {
    Json header = rsa_.Header();
    header["kid"] = id;
    EXPECT_THAT(Refusal(rsa_.Sign(header, Claims())), testing::HasSubstr("names no key")) << id;
  }
  Json header = rsa_.Header();
  header["kid"] = "rsa-2";
  EXPECT_THAT(Refusal(rsa_.Sign(header, Claims())), testing::HasSubstr("key set does not have"));
}

TEST_F(JwtTest, AKeyInTheTokenItselfCountsForNothing) {
  const SigningKey own = SigningKey::Rsa("own");
  Json header = own.Header();
  header["jwk"] = own.Jwk();
  EXPECT_NE(Refusal(own.Sign(header, Claims())), "accepted");
  header["kid"] = "rsa-1";
  EXPECT_THAT(Refusal(own.Sign(header, Claims())), testing::HasSubstr("wrong signature"));
}

TEST_F(JwtTest, CriticalExtensionsAndOtherTypesAreRefused) {
  Json header = rsa_.Header();
  header["crit"] = {"exp"};
  EXPECT_THAT(Refusal(rsa_.Sign(header, Claims())), testing::HasSubstr("critical"));
  header = rsa_.Header();
  header["typ"] = "JWE";
  EXPECT_THAT(Refusal(rsa_.Sign(header, Claims())), testing::HasSubstr("another type"));
  header["typ"] = "at+JWT";
  EXPECT_TRUE(Verify(rsa_.Sign(header, Claims())).ok());
  header.erase("typ");
  EXPECT_TRUE(Verify(rsa_.Sign(header, Claims())).ok());
}

TEST_F(JwtTest, AKeyTwiceInAnObjectIsRefused) {
  const std::string claims = R"({"iss":"https://a","aud":"quantd","exp":1900000000,"sub":"a","sub":"b"})";
  EXPECT_THAT(Refusal(rsa_.SignText(rsa_.Header().dump(), claims)), testing::HasSubstr("no valid JSON"));
  const std::string header = R"({"alg":"RS256","kid":"rsa-1","alg":"RS256"})";
  EXPECT_THAT(Refusal(rsa_.SignText(header, Claims().dump())), testing::HasSubstr("no valid JSON"));
}

TEST_F(JwtTest, EveryChangedCharacterIsNoticed) {
  for (const SigningKey* key : {&rsa_, &ec_}) {
    const std::string token = key->Sign(Claims());
    for (size_t i = 0; i < token.size(); ++i) {
      std::string changed = token;
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      EXPECT_NE(Refusal(changed), "accepted") << i;
    }
  }
}

TEST_F(JwtTest, OtherFormsAreRefused) {
  const std::string token = rsa_.Sign(Claims());
  const std::string two_parts = token.substr(0, token.rfind('.'));
  for (const std::string& text :
       {std::string(), std::string("."), std::string(".."), std::string("..."), std::string("a.b.c"),
        two_parts, two_parts + ".", token + ".", token + "=", token + " ", "." + token, token + ".x",
        std::string("\0.\0.\0", 5), EncodeBase64Url("[]") + token.substr(token.find('.')),
        EncodeBase64Url("{") + token.substr(token.find('.'))}) {
    EXPECT_NE(Refusal(text), "accepted") << text;
  }
  EXPECT_THAT(Refusal(std::string(9000, 'a')), testing::HasSubstr("longer than"));
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  EXPECT_NE(Refusal(rsa_.SignText(deep, Claims().dump())), "accepted");
}

TEST_F(JwtTest, AnEmptySignatureOfEcdsaIsRefused) {
  const std::string token = ec_.Sign(Claims());
  const std::string text = token.substr(0, token.rfind('.') + 1);
  // r = s = 0 passed a check that forgot their range.
  EXPECT_THAT(Refusal(text + EncodeBase64Url(std::string(64, '\0'))), testing::HasSubstr("wrong signature"));
  EXPECT_THAT(Refusal(text), testing::HasSubstr("wrong signature"));
}

}  // namespace
}  // namespace quantd
