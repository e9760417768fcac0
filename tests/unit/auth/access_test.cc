// From credentials to a caller.
#include "server/auth/access.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <map>

#include "server/auth/bearer_token.h"
#include "tests/support/certificate_authority.h"
#include "tests/support/signing_key.h"

namespace quantd {
namespace {

constexpr char kRead[] = "/quantd.v1.JobService/GetJob";
constexpr char kWrite[] = "/quantd.v1.JobService/CreateJob";
constexpr char kAdminister[] = "/quantd.v1.AdminService/CreateToken";
constexpr char kWork[] = "/quantd.v1.WorkerService/Lease";

class SetClock : public Clock {
 public:
  absl::Time Now() override { return now; }
  absl::Time now = absl::FromUnixSeconds(1'800'000'000);
};

class AccessTest : public testing::Test {
 protected:
  AccessTest() : folder_(testing::TempDir() + "/who-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
    WriteFile(folder_ + "/keys.json", KeySet({key_.Jwk()}));
    WriteFile(folder_ + "/access.json", R"({
      "tenants": {"team-a": {"queued_jobs": 7}, "team-b": {}},
      "certificates": [{"subject": "spiffe://team-a/ci", "tenant": "team-a", "role": "submitter"}],
      "jwt": [{"issuer": "https://a", "audience": "quantd", "jwks_file": "keys.json",
               "subjects": [{"subject": "b:*", "tenant": "team-b", "role": "viewer"}]}]})");
    Open({.require_authentication = true, .access_file = folder_ + "/access.json"});
  }
  ~AccessTest() override { std::filesystem::remove_all(folder_); }

  void Open(const AccessOptions& options) {
    auto access = Access::Open(
        options,
        [this](const std::string& id) -> absl::StatusOr<TokenRecord> {
          const auto found = tokens_.find(id);
          return found == tokens_.end() ? absl::StatusOr<TokenRecord>(absl::NotFoundError("none"))
                                        : found->second;
        },
        clock_);
    ASSERT_TRUE(access.ok()) << access.status();
    access_ = *std::move(access);
  }

  std::string Token(Role role, std::optional<absl::Time> expire_time = std::nullopt) {
    const NewToken token = MakeToken("team-a", role, "", expire_time);
    tokens_[token.record.id] = token.record;
    return token.text;
  }
  std::string Jwt(const std::string& subject) const {
    return key_.Sign({{"iss", "https://a"}, {"aud", "quantd"}, {"sub", subject}, {"exp", 1'800'000'100}});
  }

  absl::StatusOr<Caller> CheckToken(const std::string& token, const char* method = kRead) const {
    return access_->Check({.authorization = {"Bearer " + token}}, method);
  }
  absl::StatusCode CodeOf(const CallCredentials& credentials, const char* method = kRead) const {
    return access_->Check(credentials, method).status().code();
  }

  const std::string folder_;
  const SigningKey key_ = SigningKey::Ec("k");
  SetClock clock_;
  std::map<std::string, TokenRecord> tokens_;
  std::unique_ptr<Access> access_;
};

TEST_F(AccessTest, ATokenIsItsTenantAndRole) {
  const absl::StatusOr<Caller> caller = CheckToken(Token(Role::kSubmitter), kWrite);
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(caller->tenant, "team-a");
  EXPECT_EQ(caller->role, Role::kSubmitter);
  EXPECT_EQ(caller->identity, "token:" + tokens_.begin()->first);
}

TEST_F(AccessTest, RolesBoundWhatATokenMayDo) {
  const std::pair<Role, std::vector<const char*>> cases[] = {{Role::kViewer, {kRead}},
                                                             {Role::kSubmitter, {kRead, kWrite}},
                                                             {Role::kAdmin, {kRead, kWrite, kAdminister}},
                                                             {Role::kWorker, {kWork}}};
  for (const auto& [role, allowed] : cases) {
    const std::string token = Token(role);
    for (const char* method : {kRead, kWrite, kAdminister, kWork}) {
      const bool may = std::find(allowed.begin(), allowed.end(), method) != allowed.end();
      EXPECT_EQ(CheckToken(token, method).status().code(),
                may ? absl::StatusCode::kOk : absl::StatusCode::kPermissionDenied)
          << RoleName(role) << " " << method;
    }
  }
}

TEST_F(AccessTest, AMethodWithoutAPolicyIsRefusedToAll) {
  EXPECT_TRUE(
      absl::IsPermissionDenied(CheckToken(Token(Role::kAdmin), "/quantd.v1.JobService/New").status()));
  Open({});
  EXPECT_EQ(CodeOf({}, "/quantd.v1.JobService/New"), absl::StatusCode::kPermissionDenied);
}

TEST_F(AccessTest, AWrongTokenIsRefusedWithoutAHint) {
  std::string token = Token(Role::kViewer);
  std::string wrong_secret = token;
  wrong_secret.back() = wrong_secret.back() == '0' ? '1' : '0';
  std::string unknown = MakeToken("team-a", Role::kAdmin, "", std::nullopt).text;
  for (const std::string& text : {wrong_secret, unknown, token + "0", token.substr(0, 20), std::string("qt_"),
                                  std::string("qt__"), std::string("x"), std::string()}) {
    const absl::Status status = CheckToken(text).status();
    EXPECT_TRUE(absl::IsUnauthenticated(status)) << text << status;
    EXPECT_EQ(status.message().find("secret"), std::string::npos);
  }
  EXPECT_EQ(CheckToken(wrong_secret).status().message(), CheckToken(unknown).status().message());
}

TEST_F(AccessTest, ExpiryAndRevocationEndAToken) {
  const std::string expiring = Token(Role::kViewer, clock_.now + absl::Minutes(1));
  EXPECT_TRUE(CheckToken(expiring).ok());
  clock_.now += absl::Minutes(1);
  EXPECT_TRUE(absl::IsUnauthenticated(CheckToken(expiring).status()));
  EXPECT_THAT(std::string(CheckToken(expiring).status().message()), testing::HasSubstr("expired"));
  tokens_.clear();
  const std::string token = Token(Role::kViewer);
  EXPECT_TRUE(CheckToken(token).ok());
  tokens_.begin()->second.revoke_time = clock_.now;
  EXPECT_TRUE(absl::IsUnauthenticated(CheckToken(token).status()));
}

TEST_F(AccessTest, OneAuthorizationHeaderOfTheBearerKind) {
  const std::string token = Token(Role::kViewer);
  EXPECT_EQ(CodeOf({.authorization = {"bearer " + token}}), absl::StatusCode::kOk);
  EXPECT_EQ(CodeOf({.authorization = {"Basic " + token}}), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(CodeOf({.authorization = {token}}), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(CodeOf({.authorization = {"Bearer " + token, "Bearer " + token}}),
            absl::StatusCode::kUnauthenticated);
}

TEST_F(AccessTest, ACertificateIsFoundByAnyOfItsNames) {
  const absl::StatusOr<Caller> caller =
      access_->Check({.certificate_names = {"ci", "spiffe://team-a/ci"}}, kWrite);
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(caller->tenant, "team-a");
  EXPECT_EQ(caller->identity, "certificate:spiffe://team-a/ci");
  EXPECT_EQ(CodeOf({.certificate_names = {"spiffe://team-a/ci2"}}), absl::StatusCode::kPermissionDenied);
}

TEST_F(AccessTest, AWrongTokenIsNotMadeGoodByACertificate) {
  EXPECT_EQ(CodeOf({.authorization = {"Bearer qt_x"}, .certificate_names = {"spiffe://team-a/ci"}}),
            absl::StatusCode::kUnauthenticated);
  const absl::StatusOr<Caller> caller = access_->Check(
      {.authorization = {"Bearer " + Jwt("b:1")}, .certificate_names = {"spiffe://team-a/ci"}}, kRead);
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(caller->tenant, "team-b") << "the token says who, whatever the connection is";
}

TEST_F(AccessTest, AJsonWebTokenIsFoundByItsSubject) {
  EXPECT_EQ(CheckToken(Jwt("b:x"))->tenant, "team-b");
  EXPECT_EQ(CheckToken(Jwt("b:x"))->identity, "jwt:b:x");
  EXPECT_TRUE(absl::IsPermissionDenied(CheckToken(Jwt("c:x")).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(CheckToken(Jwt("b:x") + "x").status()));
}

TEST_F(AccessTest, WithoutCredentialsNobodyIsLetIn) {
  EXPECT_EQ(CodeOf({}), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(CodeOf({}, kWork), absl::StatusCode::kUnauthenticated);
}

TEST_F(AccessTest, WhereNobodyMustSayWhoTheyAreAllIsAllowedButNoFalseClaim) {
  Open({});
  for (const char* method : {kRead, kWrite, kAdminister, kWork}) {
    const absl::StatusOr<Caller> caller = access_->Check({}, method);
    ASSERT_TRUE(caller.ok()) << caller.status();
    EXPECT_EQ(caller->tenant, kDefaultTenant);
  }
  EXPECT_EQ(CodeOf({.authorization = {"Bearer qt_x"}}), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(CheckToken(Token(Role::kViewer))->tenant, "team-a");
  EXPECT_TRUE(absl::IsPermissionDenied(CheckToken(Token(Role::kViewer), kWrite).status()));
}

TEST_F(AccessTest, LocalWorkersHaveATokenThatIsKeptNowhere) {
  const std::string token = access_->MakeLocalWorkerToken();
  EXPECT_TRUE(tokens_.empty());
  EXPECT_EQ(CheckToken(token, kWork)->role, Role::kWorker);
  EXPECT_TRUE(absl::IsPermissionDenied(CheckToken(token, kRead).status()));
}

TEST_F(AccessTest, LimitsAreTheFiles) {
  EXPECT_EQ(access_->LimitsOf("team-a")->queued_jobs, 7);
  EXPECT_FALSE(access_->LimitsOf("nobody").has_value());
  EXPECT_THAT(*access_->tenants(), testing::UnorderedElementsAre("default", "team-a", "team-b"));
}

TEST_F(AccessTest, AChangedFileCountsAndAWrongOneDoesNot) {
  WriteFile(folder_ + "/access.json", R"({"tenants": {"team-a": {"queued_jobs": 8}}})");
  access_->Refresh();
  EXPECT_EQ(access_->LimitsOf("team-a")->queued_jobs, 8);
  EXPECT_EQ(CodeOf({.certificate_names = {"spiffe://team-a/ci"}}), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(absl::IsUnauthenticated(CheckToken(Jwt("b:x")).status()));
  WriteFile(folder_ + "/access.json", "{");
  access_->Refresh();
  EXPECT_EQ(access_->LimitsOf("team-a")->queued_jobs, 8);
  std::filesystem::remove(folder_ + "/access.json");
  access_->Refresh();
  EXPECT_EQ(access_->LimitsOf("team-a")->queued_jobs, 8);
  WriteFile(folder_ + "/access.json", R"({"tenants": {"team-a": {"queued_jobs": 9}}})");
  access_->Refresh();
  EXPECT_EQ(access_->LimitsOf("team-a")->queued_jobs, 9);
}

TEST_F(AccessTest, AKeySetThatIsReplacedCounts) {
  const SigningKey rotated = SigningKey::Ec("k");
  const std::string token =
      rotated.Sign({{"iss", "https://a"}, {"aud", "quantd"}, {"sub", "b:x"}, {"exp", 1'800'000'100}});
  EXPECT_FALSE(CheckToken(token).ok());
  WriteFile(folder_ + "/keys.json", KeySet({rotated.Jwk()}));
  access_->Refresh();
  EXPECT_TRUE(CheckToken(token).ok());
  EXPECT_FALSE(CheckToken(Jwt("b:x")).ok());
}

}  // namespace
}  // namespace quantd
