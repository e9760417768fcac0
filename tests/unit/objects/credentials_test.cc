#include "storage/objects/s3/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "storage/objects/s3/profile_file.h"
#include "tests/support/http_server.h"
#include "tests/unit/objects/fake_environment.h"

namespace quantd::s3 {
namespace {

using testing::HasSubstr;

class SetClock : public Clock {
 public:
  absl::Time Now() override { return now; }
  absl::Time now = absl::FromUnixSeconds(1'000'000'000);
};

class CredentialsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/credentials_XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = folder_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  absl::StatusOr<Credentials> Find(std::map<std::string, std::string> variables) {
    return CredentialSource(FakeEnvironment(std::move(variables)), "eu-west-1", http_, clock_).Get();
  }
  std::string Message(std::map<std::string, std::string> variables) {
    const absl::Status status = Find(std::move(variables)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    return std::string(status.message());
  }

  std::string folder_;
  HttpClient http_{HttpTimeouts()};
  SetClock clock_;
};

constexpr char kFile[] =
    "# comment\n[default]\naws_access_key_id = A1\naws_secret_access_key=S1\n\n"
    "[team]\naws_access_key_id=A2\naws_secret_access_key = S2==\naws_session_token = T2\ns3 =\n  max = 1\n";

TEST_F(CredentialsTest, TheEnvironmentComesFirst) {
  const auto keys = Find({{"AWS_ACCESS_KEY_ID", "A"},
                          {"AWS_SECRET_ACCESS_KEY", "S"},
                          {"AWS_SESSION_TOKEN", "T"},
                          {"AWS_SHARED_CREDENTIALS_FILE", Write("file", kFile)}});
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(keys->access_key_id + keys->secret_access_key + keys->session_token, "AST");
}

TEST_F(CredentialsTest, AnIncompletePairIsNotSkipped) {
  EXPECT_THAT(Message({{"AWS_ACCESS_KEY_ID", "A"}, {"AWS_SHARED_CREDENTIALS_FILE", Write("file", kFile)}}),
              HasSubstr("only one"));
  EXPECT_THAT(Message({{"AWS_SHARED_CREDENTIALS_FILE", Write("file", "[default]\naws_access_key_id = A")}}),
              HasSubstr(folder_ + "/file has only one"));
}

TEST_F(CredentialsTest, ReadsTheProfileOfTheFile) {
  Write(".aws/credentials", kFile);
  EXPECT_EQ(Find({{"HOME", folder_}})->secret_access_key, "S1");
  const auto keys = Find({{"HOME", folder_}, {"AWS_PROFILE", "team"}});
  EXPECT_EQ(keys->access_key_id + keys->secret_access_key + keys->session_token, "A2S2==T2");
}

TEST_F(CredentialsTest, ReadsTheConfigurationFileLast) {
  Write(".aws/config",
        "[profile team]\nregion = eu-north-1\naws_access_key_id = A3\naws_secret_access_key = S3\n");
  const auto environment = FakeEnvironment({{"HOME", folder_}, {"AWS_PROFILE", "team"}});
  EXPECT_EQ((*ReadConfigProfile(environment))["region"], "eu-north-1");
  EXPECT_EQ(Find({{"HOME", folder_}, {"AWS_PROFILE", "team"}})->access_key_id, "A3");
}

TEST_F(CredentialsTest, RefusesAFileThatOthersCanRead) {
  const std::string open = Write("open", kFile, 0644);
  EXPECT_THAT(Message({{"AWS_SHARED_CREDENTIALS_FILE", open}}), HasSubstr("chmod 600"));
  // As a secret is mounted into a container.
  EXPECT_TRUE(Find({{"AWS_SHARED_CREDENTIALS_FILE", Write("group", kFile, 0440)}}).ok());
}

TEST_F(CredentialsTest, SaysWhereItLookedWhenThereAreNone) {
  const std::string message = Message({{"HOME", folder_}, {"AWS_PROFILE", "nobody"}});
  EXPECT_THAT(message, HasSubstr("AWS_ACCESS_KEY_ID"));
  EXPECT_THAT(message, HasSubstr(folder_ + "/.aws/credentials"));
  EXPECT_THAT(message, HasSubstr("nobody"));
}

std::string AssumedRole(const std::string& key, absl::Time expiry) {
  return "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
         "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>" +
         key +
         "</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken><Expiration>" +
         absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", expiry, absl::UTCTimeZone()) +
         "</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
}

TEST_F(CredentialsTest, RenewsTheKeysOfAWebIdentityBeforeTheyExpire) {
  std::atomic<int> calls = 0;
  std::atomic<bool> works = true;
  HttpServer service([&](const HttpCall& call) -> HttpAnswer {
    if (!works) return {503};
    EXPECT_EQ(call.method, "POST");
    EXPECT_EQ(
        call.body,
        "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=quantd&"
        "Version=2011-06-15&WebIdentityToken=to.ken");
    return {200, AssumedRole("A" + std::to_string(++calls), clock_.now + absl::Hours(1))};
  });
  CredentialSource source(FakeEnvironment({{"AWS_WEB_IDENTITY_TOKEN_FILE", Write("token", "to.ken\n")},
                                           {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
                                           {"AWS_ENDPOINT_URL_STS", service.endpoint()}}),
                          "eu-west-1", http_, clock_);
  EXPECT_EQ(source.Get()->access_key_id, "A1");
  EXPECT_EQ(source.Get()->session_token, "T");
  clock_.now += absl::Minutes(56);
  EXPECT_EQ(source.Get()->access_key_id, "A2");
  works = false;
  clock_.now += absl::Minutes(56);
  EXPECT_EQ(source.Get()->access_key_id, "A2");  // still good
  clock_.now += absl::Minutes(5);
  EXPECT_EQ(source.Get().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(CredentialsTest, SaysWhyAWebIdentityIsRefused) {
  HttpServer service([](const HttpCall&) -> HttpAnswer {
    return {
        403,
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"};
  });
  std::map<std::string, std::string> variables = {{"AWS_WEB_IDENTITY_TOKEN_FILE", folder_ + "/none"},
                                                  {"AWS_ENDPOINT_URL_STS", service.endpoint()}};
  EXPECT_THAT(Message(variables), HasSubstr("AWS_ROLE_ARN"));
  variables["AWS_ROLE_ARN"] = "role";
  EXPECT_THAT(Message(variables), HasSubstr(folder_ + "/none"));
  variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = Write("token", "t");
  EXPECT_THAT(Message(variables), HasSubstr("AccessDenied not you"));
}

}  // namespace
}  // namespace quantd::s3
