#include "tests/service/cluster.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/catalogue/postgres_connection.h"
#include "storage/objects/s3/connection.h"
#include "storage/objects/s3_store.h"

namespace quantd {
namespace {

s3::Options OwnersOptions() {
  s3::Options options;
  options.environment = [](const std::string& name) -> std::string {
    if (name == "AWS_ACCESS_KEY_ID") return RadosgwProcess::kAccessKey;
    return name == "AWS_SECRET_ACCESS_KEY" ? RadosgwProcess::kSecretKey : "";
  };
  return options;
}

s3::Location BucketOf(const RadosgwProcess& s3) {
  return {Cluster::kBucket, "quantd", s3.endpoint(), "us-east-1", true};
}

std::string MakeFolder() {
  std::string folder = testing::TempDir() + "/cluster_XXXXXX";
  EXPECT_NE(::mkdtemp(folder.data()), nullptr);
  return folder;
}

}  // namespace

Cluster::Cluster(std::string access) : folder_(MakeFolder()), access_(std::move(access)) {
  s3::Connection connection(BucketOf(s3_), OwnersOptions());
  const auto made = connection.Send({.what = "make the bucket", .method = "PUT"});
  EXPECT_TRUE(made.ok()) << made.status();
  std::vector<std::string> arguments = {"--catalogue", postgres_.Address(), "--objects", objects_url()};
  if (!access_.empty()) {
    WriteFiles({{"access.json", access_}}, folder_);
    arguments.insert(arguments.end(), {"--access", folder_ + "/access.json"});
  }
  for (int i = 0; i < kServers; ++i) {
    servers_.push_back(std::make_unique<ServerProcess>(ServerOptions{
        .arguments = arguments, .environment = Environment(), .keep_log = true, .keep_address = true}));
  }
}

Cluster::~Cluster() {
  workers_.clear();
  servers_.clear();
  std::filesystem::remove_all(folder_);
}

void Cluster::StartServers() {
  for (const auto& server : servers_) server->Start();
}

void Cluster::StartWorkers() {
  const std::vector<std::string> arguments = WorkerArguments();
  for (int i = 0; i < kWorkers; ++i) {
    workers_.push_back(std::make_unique<WorkerProcess>(arguments, Environment(),
                                                       absl::StrCat(folder_, "/worker-", i, ".log")));
    workers_.back()->Start();
  }
}

void Cluster::StopWorkers() { workers_.clear(); }

std::string Cluster::AllAddresses() const {
  return absl::StrCat("ipv4:", absl::StrJoin(servers_, ",", [](std::string* out, const auto& server) {
                        absl::StrAppend(out, server->address());
                      }));
}

std::unique_ptr<Connection> Cluster::Connect(int server, const CallerFiles& credentials) {
  return *Connection::Open(
      {.server = servers_[static_cast<size_t>(server)]->address(), .credentials = credentials});
}

std::unique_ptr<Connection> Cluster::ConnectToAny(const CallerFiles& credentials) {
  return *Connection::Open({.server = AllAddresses(), .credentials = credentials});
}

const CallerFiles& Cluster::AdminCredentials() {
  if (admin_.token_file.empty()) {
    const auto programs = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin";
    admin_.token_file = folder_ + "/admin-token";
    const std::string command =
        absl::StrCat("umask 077; ", (programs / "quantd").string(), " admin-token --catalogue '",
                     postgres_.Address(), "' >", admin_.token_file);
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
  }
  return admin_;
}

CallerFiles Cluster::NewCredentials(const std::string& tenant, const std::string& role) {
  const std::unique_ptr<Connection> connection = Connect(0, AdminCredentials());
  v1::CreateTokenRequest request;
  request.set_tenant(tenant);
  request.set_role(role);
  v1::CreateTokenResponse response;
  const absl::Status made = connection->Call([&](grpc::ClientContext& context) {
    return connection->admin->CreateToken(&context, request, &response);
  });
  EXPECT_TRUE(made.ok()) << made;
  CallerFiles credentials;
  credentials.token_file = absl::StrCat(folder_, "/", tenant, "-", role, "-token");
  std::ofstream(credentials.token_file) << response.text();
  std::filesystem::permissions(credentials.token_file, std::filesystem::perms::owner_read);
  return credentials;
}

std::vector<std::string> Cluster::WorkerArguments() {
  std::vector<std::string> arguments = {"--server", AllAddresses(), "--objects", objects_url(), "--threads",
                                        "1",        "--device",     "cpu"};
  if (!access_.empty())
    arguments.insert(arguments.end(), {"--token-file", NewCredentials("default", "worker").token_file});
  return arguments;
}

std::vector<std::string> Cluster::Environment() {
  return {absl::StrCat("AWS_ACCESS_KEY_ID=", RadosgwProcess::kAccessKey),
          absl::StrCat("AWS_SECRET_ACCESS_KEY=", RadosgwProcess::kSecretKey)};
}

std::string Cluster::ObjectsUrl(const std::string& bucket) const {
  return absl::StrCat("s3://", bucket, "/quantd?endpoint=", s3_.endpoint());
}

std::unique_ptr<ObjectStore> Cluster::OpenObjects() { return *OpenS3Store(BucketOf(s3_), OwnersOptions()); }

std::vector<std::string> Cluster::Sql(const std::string& statement) {
  auto connection = PostgresConnection::Connect(postgres_.Address());
  EXPECT_TRUE(connection.ok()) << connection.status();
  const auto rows = (*connection)->Execute(statement);
  EXPECT_TRUE(rows.ok()) << rows.status();
  std::vector<std::string> texts;
  for (int row = 0; rows.ok() && row < rows->size(); ++row) texts.push_back(rows->Text(row, 0));
  return texts;
}

void WriteFiles(const std::map<std::string, std::string>& files, const std::string& folder) {
  std::filesystem::create_directories(folder);
  for (const auto& [path, content] : files) std::ofstream(folder + "/" + path, std::ios::binary) << content;
}

}  // namespace quantd
