// The access file: what it says, and that a mistake in it is never passed over.
#include "server/auth/access_file.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/support/signing_key.h"

namespace quantd {
namespace {

class AccessFileTest : public testing::Test {
 protected:
  AccessFileTest() : folder_(testing::TempDir() + "/access-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/keys.json") << KeySet({SigningKey::Ec("k").Jwk()});
  }
  ~AccessFileTest() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<AccessRules> Read(const std::string& text) const {
    std::ofstream(folder_ + "/access.json") << text;
    return ReadAccessFile(folder_ + "/access.json");
  }
  std::string Refusal(const std::string& text) const {
    const absl::StatusOr<AccessRules> rules = Read(text);
    return rules.ok() ? "accepted" : std::string(rules.status().message());
  }

  const std::string folder_;
};

TEST_F(AccessFileTest, SaysWhoIsWho) {
  const absl::StatusOr<AccessRules> rules = Read(R"({
    "tenants": {"team-a": {"weight": 2, "stored_bytes": 1e12, "queued_jobs": 100, "running_jobs": 4, "upload_streams": 8},
                "team-b": {}},
    "certificates": [{"subject": "ci.team-a", "tenant": "team-a", "role": "submitter"},
                     {"subject": "worker", "role": "worker"}],
    "jwt": [{"issuer": "https://a", "audience": "quantd", "jwks_file": "keys.json",
             "subjects": [{"subject": "system:serviceaccount:b:runner", "tenant": "team-b", "role": "admin"},
                          {"subject": "system:serviceaccount:b:*", "tenant": "team-b", "role": "viewer"}]}]})");
  ASSERT_TRUE(rules.ok()) << rules.status();
  const TenantLimits& limits = rules->tenants.at("team-a");
  EXPECT_EQ(limits.weight, 2);
  EXPECT_EQ(limits.stored_bytes, 1'000'000'000'000);
  EXPECT_EQ(limits.queued_jobs, 100);
  EXPECT_EQ(limits.running_jobs, 4);
  EXPECT_EQ(limits.upload_streams, 8);
  EXPECT_EQ(rules->tenants.at("team-b").weight, 1);
  EXPECT_EQ(rules->tenants.at("team-b").stored_bytes, 0);
  ASSERT_EQ(rules->certificates.size(), 2u);
  EXPECT_EQ(rules->certificates[0].role, Role::kSubmitter);
  EXPECT_EQ(rules->certificates[1].tenant, "default");
  ASSERT_EQ(rules->subjects.size(), 1u);
  EXPECT_TRUE(rules->subjects[0][0].Matches("system:serviceaccount:b:runner"));
  EXPECT_FALSE(rules->subjects[0][0].Matches("system:serviceaccount:b:runner2"));
  EXPECT_TRUE(rules->subjects[0][1].Matches("system:serviceaccount:b:runner2"));
  EXPECT_FALSE(rules->subjects[0][1].Matches("system:serviceaccount:bb:x"));
  EXPECT_THAT(rules->files, testing::ElementsAre(folder_ + "/access.json", folder_ + "/keys.json"));
}

TEST_F(AccessFileTest, AnEmptyOneGivesNobodyAnything) {
  const absl::StatusOr<AccessRules> rules = Read("{}");
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_TRUE(rules->certificates.empty() && rules->issuers.empty());
}

TEST_F(AccessFileTest, MistakesAreNamedWithTheirPlace) {
  const std::string tenants = R"("tenants": {"a": {}})";
  const std::pair<std::string, const char*> cases[] = {
      {"", "is not valid JSON"},
      {"[]", "access is no object"},
      {R"({"tenant": {}})", "access has a key \"tenant\", which is not known"},
      {R"({"tenants": {"a": {}, "a": {}}})", "the key \"a\" twice"},
      {R"({"tenants": {"Team_A": {}}})", "a tenant is 1 to 63 of [a-z0-9-]"},
      {R"({"tenants": {"a": {"wieght": 2}}})", "access.tenants.a has a key \"wieght\""},
      {R"({"tenants": {"a": {"weight": 0}}})", "access.tenants.a has a weight of 0"},
      {R"({"tenants": {"a": {"queued_jobs": -1}}})",
       "access.tenants.a.queued_jobs is no number of at least 0"},
      {R"({"tenants": {"a": {"queued_jobs": "5"}}})", "access.tenants.a.queued_jobs is no number"},
      {R"({"certificates": {}})", "access.certificates is no list"},
      {R"({"certificates": [{"tenant": "a", "role": "viewer"}]})",
       "access.certificates[0] has no \"subject\""},
      {R"({"certificates": [{"subject": "x", "tenant": "a", "role": "viewer"}]})", "not among \"tenants\""},
      {"{" + tenants + R"(, "certificates": [{"subject": "x", "tenant": "a", "role": "root"}]})",
       "access.certificates[0] has the role \"root\"; there are viewer, submitter, admin, worker"},
      {"{" + tenants + R"(, "certificates": [{"subject": "x", "tenant": "a"}]})", "has no \"role\""},
      {"{" + tenants + R"(, "certificates": [{"subject": "x", "role": "viewer"}]})", "has no \"tenant\""},
      {R"({"jwt": [{"issuer": "i", "audience": "", "jwks_file": "keys.json"}]})",
       "access.jwt[0].audience is no text"},
      {R"({"jwt": [{"issuer": "i", "jwks_file": "keys.json"}]})", "access.jwt[0] has no \"audience\""},
      {R"({"jwt": [{"issuer": "i", "audience": "q", "jwks_file": "none.json"}]})", "none.json"},
      {R"({"jwt": [{"issuer": "i", "audience": "q", "jwks_file": "access.json"}]})", "no JSON Web Key Set"},
      {"{" + tenants + R"(, "jwt": [{"issuer": "i", "audience": "q", "jwks_file": "keys.json",
          "subjects": [{"subject": "a*b", "tenant": "a", "role": "viewer"}]}]})",
       "access.jwt[0].subjects[0] has a '*' that is not at the subject's end"},
  };
  for (const auto& [text, message] : cases) EXPECT_THAT(Refusal(text), testing::HasSubstr(message)) << text;
}

TEST_F(AccessFileTest, AFileThatIsNotThereIsNamed) {
  const absl::StatusOr<AccessRules> rules = ReadAccessFile(folder_ + "/nothing.json");
  EXPECT_TRUE(absl::IsNotFound(rules.status())) << rules.status();
  EXPECT_THAT(std::string(rules.status().message()), testing::HasSubstr("nothing.json"));
}

}  // namespace
}  // namespace quantd
