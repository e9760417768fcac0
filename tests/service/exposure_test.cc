// What quantd refuses to start with, and says about it.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>

#include "tests/support/certificate_authority.h"
#include "tests/support/server_process.h"

namespace quantd {
namespace {

class ExposureTest : public testing::Test {
 protected:
  ExposureTest() : folder_(testing::TempDir() + "/exposure-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
    const CertifiedKey server = authority_.IssueForServer();
    WriteFile(cert_, server.certificate, 0644);
    WriteFile(key_, server.key);
  }
  ~ExposureTest() override { std::filesystem::remove_all(folder_); }

  // What quantd prints on its way out, which must be an error.
  std::string Refusal(const std::string& arguments) const {
    const auto programs = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin";
    const std::string command = (programs / "quantd").string() +
                                " --workers 0 --metrics-listen 127.0.0.1:0 --data-dir " + folder_ + "/data " +
                                arguments + " 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string output;
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;) output.push_back(static_cast<char>(c));
    EXPECT_EQ(WEXITSTATUS(::pclose(pipe)), 1) << command;
    EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 1) << output;
    return output;
  }
  std::string TlsRefusal() const {
    return Refusal("--listen 127.0.0.1:0 --tls-cert " + cert_ + " --tls-key " + key_);
  }

  const std::string folder_;
  const CertificateAuthority authority_{"servers"};
  const std::string cert_ = folder_ + "/cert.pem", key_ = folder_ + "/key.pem";
};

TEST_F(ExposureTest, PlaintextIsForThisMachineAlone) {
  for (const char* address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0"}) {
    EXPECT_THAT(Refusal(std::string("--listen ") + address), testing::HasSubstr("--allow-plaintext"))
        << address;
    // A token could be read along.
    EXPECT_THAT(Refusal(std::string("--require-authentication --listen ") + address),
                testing::HasSubstr("--allow-plaintext"));
  }
  ServerProcess trusted({.listen = "0.0.0.0:0", .arguments = {"--allow-plaintext"}});
  trusted.Start();
  EXPECT_EQ(trusted.Terminate(), 0);
}

TEST_F(ExposureTest, FlagsOfTlsGoTogether) {
  EXPECT_THAT(Refusal("--tls-cert " + cert_), testing::HasSubstr("give --tls-cert and --tls-key"));
  EXPECT_THAT(Refusal("--tls-key " + key_), testing::HasSubstr("give --tls-cert and --tls-key"));
  EXPECT_THAT(Refusal("--tls-client-ca " + cert_), testing::HasSubstr("--tls-client-ca is for TLS"));
}

TEST_F(ExposureTest, CertificatesThatCantServe) {
  WriteFile(key_, authority_.IssueForServer().key);
  EXPECT_THAT(TlsRefusal(), testing::HasSubstr("key.pem: is not the key of the certificate"));
  std::filesystem::permissions(key_, static_cast<std::filesystem::perms>(0644));
  EXPECT_THAT(TlsRefusal(), testing::HasSubstr("key.pem: others can read it"));
  std::filesystem::remove(key_);
  EXPECT_THAT(TlsRefusal(), testing::HasSubstr("key.pem: No such file"));
}

TEST_F(ExposureTest, AnAccessFileThatIsWrong) {
  WriteFile(folder_ + "/access.json", R"({"tenants": {"a": {"wieght": 1}}})", 0644);
  EXPECT_THAT(Refusal("--access " + folder_ + "/access.json"), testing::HasSubstr("wieght"));
  EXPECT_THAT(Refusal("--access " + folder_ + "/none.json"), testing::HasSubstr("none.json"));
}

TEST_F(ExposureTest, LocalWorkersNeedNoSetUp) {
  ServerProcess server({.workers = 1, .arguments = {"--require-authentication"}});
  server.Start();
  EXPECT_TRUE(Eventually([&] {
    return HttpGet(server.metrics_address(), "/readyz").find("200 OK") != std::string::npos;
  })) << "its worker has reported";
  ASSERT_EQ(server.Workers().size(), 1u);
  const std::string process = "/proc/" + std::to_string(server.Workers()[0]);
  struct stat token {};
  ASSERT_EQ(::stat((process + "/fd/3").c_str(), &token), 0);
  EXPECT_EQ(token.st_mode & 0777, 0600u);
  EXPECT_EQ(server.Terminate(), 0);
}

}  // namespace
}  // namespace quantd
