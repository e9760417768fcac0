#include "tests/contract/s3_server.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>

namespace quantd {
namespace {

std::unique_ptr<RadosgwProcess> running;

class StartServer : public testing::Environment {
 public:
  void SetUp() override {
    running = std::make_unique<RadosgwProcess>();
    s3::Connection connection(S3Server::Place(""), S3Server::Owner());
    const auto made = connection.Send({.what = "make the bucket", .method = "PUT"});
    ASSERT_TRUE(made.ok()) << made.status();
  }
  void TearDown() override { running.reset(); }
};

[[maybe_unused]] auto* const kStartServer = testing::AddGlobalTestEnvironment(new StartServer);

}  // namespace

RadosgwProcess& S3Server::Get() { return *running; }

s3::Location S3Server::Place(const std::string& folder) {
  return {kBucket, std::filesystem::path(folder).filename().string(), Get().endpoint(), "us-east-1", true};
}

s3::Options S3Server::WithKeys(const std::string& access_key, const std::string& secret_key) {
  s3::Options options;
  options.most_tries = 3;
  options.first_delay = absl::Milliseconds(1);
  const std::map<std::string, std::string> variables = {{"AWS_ACCESS_KEY_ID", access_key},
                                                        {"AWS_SECRET_ACCESS_KEY", secret_key}};
  options.environment = [variables](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? "" : found->second;
  };
  return options;
}

s3::Options S3Server::Owner() { return WithKeys(RadosgwProcess::kAccessKey, RadosgwProcess::kSecretKey); }

}  // namespace quantd
