// quantctl and quantd-worker with credentials: over TLS, a job from upload to artifact, and what they say
// when they are refused.
#include <sys/wait.h>

#include <fstream>
#include <iostream>
#include <memory>

#include "absl/strings/match.h"
#include "tests/service/identity_test_base.h"
#include "tests/support/checkpoint_builder.h"
#include "tests/support/worker_process.h"

namespace quantd {
namespace {

struct Ended {
  int code = 0;
  std::string output;  // both streams, unless errors went elsewhere
};

class ClientIdentityTest : public IdentityTest {
 protected:
  ClientIdentityTest() : IdentityTest({.keep_address = true}) {}
  ~ClientIdentityTest() override {
    if (HasFailure()) std::cerr << WorkerLog();
  }

  static std::string Program(const char* name) {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin" / name;
  }

  std::string TokenFile(const std::string& name, const std::string& token, int mode = 0600) const {
    WriteFile(folder_ + "/" + name, token + "\n", mode);
    return folder_ + "/" + name;
  }

  Ended Quantctl(const std::string& arguments, const std::string& token_file = "",
                 const std::string& errors = "2>&1") const {
    std::string command =
        Program("quantctl") + " --server " + server_.address() + " --ca " + folder_ + "/ca.pem ";
    if (!token_file.empty()) command += "--token-file " + token_file + " ";
    FILE* pipe = ::popen((command + arguments + " " + errors).c_str(), "r");
    Ended ended;
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;) ended.output.push_back(static_cast<char>(c));
    ended.code = WEXITSTATUS(::pclose(pipe));
    return ended;
  }

  void StartWorker(const std::vector<std::string>& credentials) {
    std::vector<std::string> arguments = {"--server",  server_.address(),
                                          "--ca",      folder_ + "/ca.pem",
                                          "--threads", "1",
                                          "--objects", "file:" + server_.data_folder()};
    arguments.insert(arguments.end(), credentials.begin(), credentials.end());
    worker_ = std::make_unique<WorkerProcess>(arguments, std::vector<std::string>(), WorkerLogFile());
    worker_->Start();
  }

  std::string WorkerLogFile() const { return folder_ + "/worker.log"; }

  std::string WorkerLog() const {
    std::ifstream log(WorkerLogFile());
    return {std::istreambuf_iterator<char>(log), {}};
  }

  void WriteWorkerCertificate(const CertificateFacts& facts) const {
    const CertifiedKey worker = clients_.Issue(facts);
    WriteFile(folder_ + "/worker-key.pem", worker.key);
    WriteFile(folder_ + "/worker.pem", worker.certificate, 0644);
  }

  // A worker has come and was let in.
  bool EngineIsKnown() const {
    const CallMetadata viewer = Bearer(Token("team-a", "viewer"));
    return CallByName(channel_, "/quantd.v1.CapabilityService/GetCapabilities", "", viewer).status.ok();
  }

  std::string CheckpointFolder() const {
    const std::filesystem::path folder = folder_ + "/checkpoint";
    std::filesystem::create_directories(folder);
    for (const auto& [path, content] : SmallLlama({})) WriteFile(folder / path, content);
    return folder;
  }

  std::unique_ptr<WorkerProcess> worker_;
};

TEST_F(ClientIdentityTest, AJobOverTls) {
  StartWorker({"--token-file", TokenFile("worker-token", Token("default", "worker"))});
  const std::string submitter = TokenFile("token", Token("team-a", "submitter"));
  const Ended done =
      Quantctl("quantize " + CheckpointFolder() + " --to gguf:Q8_0 --output " + folder_ + "/out", submitter);
  EXPECT_EQ(done.code, 0) << done.output;
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/out/gguf-Q8_0/quantd-manifest.json"));
  const std::string other = TokenFile("other-token", Token("team-b", "viewer"));
  EXPECT_THAT(Quantctl("jobs list -o json", other).output, testing::Not(testing::HasSubstr("jobs/")));
  EXPECT_THAT(Quantctl("jobs list -o json", submitter).output, testing::HasSubstr("jobs/"));
}

TEST_F(ClientIdentityTest, TokensAreMadeListedAndRevoked) {
  const std::string admin = TokenFile("admin-token", admin_);
  const Ended created =
      Quantctl("admin token create --tenant team-a --role viewer --name 'a dashboard' --expires 90d", admin,
               "2>/dev/null");
  ASSERT_EQ(created.code, 0) << created.output;
  ASSERT_THAT(created.output, testing::MatchesRegex("qt_[0-9a-z]{16}_[0-9a-f]{64}\n"));
  const std::string viewer = TokenFile("viewer-token", created.output);
  EXPECT_EQ(Quantctl("models list", viewer).code, 0);
  const std::string id = created.output.substr(3, 16);
  const Ended list = Quantctl("admin token list", admin);
  EXPECT_THAT(list.output,
              testing::ContainsRegex("tokens/" + id + " +team-a +viewer +ACTIVE .* a dashboard"));
  EXPECT_EQ(list.output.find(created.output.substr(20, 64)), std::string::npos);
  EXPECT_EQ(Quantctl("admin token revoke " + id, admin).code, 0);
  EXPECT_THAT(Quantctl("admin token list", admin).output,
              testing::ContainsRegex("tokens/" + id + ".*REVOKED"));
  const Ended refused = Quantctl("models list", viewer);
  EXPECT_EQ(refused.code, 5);
  EXPECT_THAT(refused.output, testing::HasSubstr("was revoked"));
  EXPECT_EQ(Quantctl("admin token revoke nothing", admin).code, 4);
  EXPECT_EQ(Quantctl("admin token create --role viewer --tenant team-x", admin).code, 6);
  EXPECT_EQ(Quantctl("admin token create --role viewer --expires soon", admin).code, 2);
}

TEST_F(ClientIdentityTest, ARefusalSaysWhatToDo) {
  const Ended nobody = Quantctl("models list");
  EXPECT_EQ(nobody.code, 5);
  EXPECT_THAT(nobody.output, testing::HasSubstr("--token-file"));
  const Ended viewer = Quantctl("jobs cancel x", TokenFile("token", Token("team-a", "viewer")));
  EXPECT_EQ(viewer.code, 5);
  EXPECT_THAT(viewer.output, testing::AllOf(testing::HasSubstr("needs the role submitter"),
                                            testing::HasSubstr("admin token create")));
}

TEST_F(ClientIdentityTest, ATokenThatOthersCanReadIsNotUsed) {
  const Ended refused = Quantctl("models list", TokenFile("token", Token("team-a", "viewer"), 0644));
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.output,
              testing::AllOf(testing::HasSubstr("others can read it"), testing::HasSubstr("chmod 600")));
  EXPECT_THAT(Quantctl("models list", folder_ + "/nothing").output, testing::HasSubstr("nothing"));
  EXPECT_THAT(Quantctl("models list", TokenFile("token", "two tokens")).output,
              testing::HasSubstr("does not hold one bearer token"));
}

TEST_F(ClientIdentityTest, AReplacedTokenFileIsUsedByTheWorkerThatRuns) {
  StartWorker({"--token-file", TokenFile("worker-token", RevokedToken("default", "worker"))});
  ASSERT_TRUE(Eventually([&] { return absl::StrContains(WorkerLog(), "quantd refuses this worker"); }));
  EXPECT_FALSE(EngineIsKnown());
  TokenFile("worker-token", Token("default", "worker"));
  EXPECT_TRUE(Eventually([&] { return EngineIsKnown(); }));
}

TEST_F(ClientIdentityTest, AWorkerThatCameBeforeTheServerFindsIt) {
  WriteWorkerCertificate({.common_name = "any", .alternative_names = {"URI:spiffe://cluster/worker"}});
  server_.Kill();
  StartWorker({"--cert", folder_ + "/worker.pem", "--key", folder_ + "/worker-key.pem"});
  ASSERT_TRUE(Eventually([&] { return absl::StrContains(WorkerLog(), "no answer from quantd"); }));
  server_.Start();
  channel_ = Channel();
  EXPECT_TRUE(Eventually([&] { return EngineIsKnown(); }, std::chrono::seconds(10)));
}

// As cert-manager does it, long before the earlier one expires.
TEST_F(ClientIdentityTest, AReplacedCertificateIsUsedByTheWorkerThatRuns) {
  WriteWorkerCertificate({.common_name = "nobody"});
  StartWorker({"--cert", folder_ + "/worker.pem", "--key", folder_ + "/worker-key.pem"});
  ASSERT_TRUE(Eventually([&] { return absl::StrContains(WorkerLog(), "quantd refuses this worker"); }));
  EXPECT_FALSE(EngineIsKnown());
  WriteWorkerCertificate({.common_name = "any", .alternative_names = {"URI:spiffe://cluster/worker"}});
  // A connection keeps the certificate that it began with.
  EXPECT_TRUE(Eventually([&] {
    server_.Kill();
    server_.Start();
    channel_ = Channel();
    return Eventually([&] { return EngineIsKnown(); }, std::chrono::seconds(6));
  }));
}

}  // namespace
}  // namespace quantd
