// Where a setting can come from, and the addresses that quantd listens on.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/service/service_test_base.h"

namespace quantd {
namespace {

// A server that is started by each test.
class ConfigurationTest : public testing::Test {
 protected:
  static bool Answers(const ServerProcess& server) {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    return v1::ModelService::NewStub(server.channel())->ListModels(&context, {}, &response).ok();
  }
  static std::string Socket() {
    return testing::TempDir() + "/quantd-" + std::to_string(::getpid()) + ".sock";
  }

  // What quantd prints; fails the test when it does not exit with 0.
  static std::string Output(const std::string& environment, const std::string& arguments) {
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    const std::string program = (here.parent_path() / "bin" / "quantd").string();
    FILE* pipe = ::popen((environment + " " + program + " " + arguments).c_str(), "r");
    std::string output;
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;) output.push_back(static_cast<char>(c));
    EXPECT_EQ(::pclose(pipe), 0);
    return output;
  }
};

TEST_F(ConfigurationTest, PortZeroIsReplacedInTheReadyLine) {
  ServerProcess first(ServerOptions{}), second(ServerOptions{});
  first.Start();
  second.Start();
  EXPECT_THAT(first.address(), testing::MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]+"));
  EXPECT_THAT(first.metrics_address(), testing::MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]+"));
  EXPECT_NE(first.address(), second.address());
  EXPECT_TRUE(Answers(first));
  EXPECT_EQ(first.Terminate(), 0);
}

TEST_F(ConfigurationTest, AUnixSocketIsAnAddressAlsoForWorkers) {
  ServerProcess server({.workers = 1, .listen = "unix:" + Socket()});
  server.Start();
  EXPECT_EQ(server.address(), "unix:" + Socket());
  EXPECT_TRUE(Answers(server));
  EXPECT_TRUE(Eventually([&] {
    return HttpGet(server.metrics_address(), "/readyz").find("200 OK") != std::string::npos;
  })) << "its worker has reported";
  // A socket that a crash left does not hinder the next start.
  server.Kill();
  server.Start();
  EXPECT_TRUE(Answers(server));
  EXPECT_EQ(server.Terminate(), 0);
}

TEST_F(ConfigurationTest, AnEnvironmentVariableIsAFlag) {
  ServerProcess server({.listen = "", .environment = {"QUANTD_LISTEN=unix:" + Socket()}});
  server.Start();
  EXPECT_EQ(server.address(), "unix:" + Socket());
  EXPECT_TRUE(Answers(server));
}

TEST_F(ConfigurationTest, AConfigurationFilesKeysAreFlags) {
  const std::string file = testing::TempDir() + "/quantd-" + std::to_string(::getpid()) + ".toml";
  std::ofstream(file) << "listen = \"unix:" << Socket() << "\"\nlog-format = \"json\"\n";
  ServerProcess server({.listen = "", .arguments = {"--config", file}, .keep_log = true});
  server.Start();
  EXPECT_EQ(server.address(), "unix:" + Socket());
  EXPECT_TRUE(Answers(server));
  EXPECT_EQ(server.Terminate(), 0);
  EXPECT_THAT(server.Log(), testing::StartsWith("{\"time\":"));
  std::filesystem::remove(file);
}

TEST_F(ConfigurationTest, PrintConfigTellsWhatIsInForce) {
  const std::string file = testing::TempDir() + "/quantd-print-" + std::to_string(::getpid()) + ".toml";
  std::ofstream(file) << "workers = 3\nworker-threads = 5\n";
  const std::string output = Output("QUANTD_LOG_FORMAT=json QUANTD_WORKER_THREADS=9",
                                    "--config " + file + " --workers 2 --print-config");
  EXPECT_THAT(output, testing::HasSubstr("workers=2\n")) << "a flag wins";
  EXPECT_THAT(output, testing::HasSubstr("log-format=\"json\"\n"));
  EXPECT_THAT(output, testing::HasSubstr("worker-threads=5\n")) << "the file wins over the environment";
  EXPECT_THAT(output, testing::HasSubstr("listen=\"127.0.0.1:7600\"\n"));
  // What is printed is a configuration file.
  std::ofstream(file) << output;
  EXPECT_EQ(Output("", "--config " + file + " --print-config"), output);
  std::filesystem::remove(file);
}

TEST_F(ConfigurationTest, LocalWorkersGetTheKeysOfTheStoreAndNotTheDatabasesPassword) {
  ServerProcess server({.workers = 1, .environment = {"AWS_ACCESS_KEY_ID=store-key", "PGPASSWORD=secret"}});
  server.Start();
  std::string variables;
  EXPECT_TRUE(Eventually([&] {
    const std::vector<pid_t> workers = server.Workers();
    if (workers.empty()) return false;
    std::ifstream file("/proc/" + std::to_string(workers[0]) + "/environ", std::ios::binary);
    variables.assign(std::istreambuf_iterator<char>(file), {});
    return variables.find("AWS_ACCESS_KEY_ID=store-key") != std::string::npos;
  }));
  EXPECT_THAT(variables, testing::Not(testing::HasSubstr("secret")));
}

}  // namespace
}  // namespace quantd
