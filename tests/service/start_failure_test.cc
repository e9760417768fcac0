// A quantd that can't work with its catalogue or its bucket says why, on one line, and ends with 1.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/catalogue/postgres_connection.h"
#include "tests/service/shared_cluster.h"

namespace quantd {
namespace {

using testing::HasSubstr;

struct Start {
  std::string catalogue;
  std::string objects;
  std::vector<std::string> environment = Cluster::Environment();
};

class StartFailureTest : public testing::Test {
 protected:
  void SetUp() override {
    good_ = {absl::StrCat("sqlite:", SharedCluster().folder(), "/start-failure.db"),
             SharedCluster().objects_url()};
  }

  // Runs quantd to its end: 1, and a last line on stderr that has this text.
  static void ExpectRefused(const Start& start, const std::string& text) {
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    const std::string command = absl::StrCat(
        "timeout 120 env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY HOME=/nonexistent ",
        absl::StrJoin(start.environment, " "), " ", (here.parent_path() / "bin" / "quantd").string(),
        " --workers 0 --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 --data-dir ",
        SharedCluster().folder(), "/start-failure --catalogue '", start.catalogue, "' --objects '",
        start.objects, "' 2>&1");
    FILE* pipe = ::popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string output;
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;) output.push_back(static_cast<char>(c));
    const int status = ::pclose(pipe);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1) << status << "\n" << output;
    const size_t last = output.rfind("quantd: ");
    ASSERT_NE(last, std::string::npos) << output;
    EXPECT_THAT(output.substr(last), HasSubstr(text));
    EXPECT_EQ(std::count(output.begin() + static_cast<std::ptrdiff_t>(last), output.end(), '\n'), 1);
  }

  static std::vector<std::string> Keys(const std::string& access_key, const std::string& secret_key) {
    return {absl::StrCat("AWS_ACCESS_KEY_ID=", access_key),
            absl::StrCat("AWS_SECRET_ACCESS_KEY=", secret_key)};
  }

  // A catalogue in a schema of its own.
  static std::string Schema(const std::string& name) {
    SharedCluster().Sql(absl::StrCat("CREATE SCHEMA ", name));
    return SharedCluster().postgres().Address(absl::StrCat("options=-csearch_path%3D", name));
  }

  Start good_;
};

TEST_F(StartFailureTest, ABucketThatDoesNotExist) {
  good_.objects = SharedCluster().ObjectsUrl("nowhere");
  ExpectRefused(
      good_, absl::StrCat("the bucket \"nowhere\" at ", SharedCluster().s3().endpoint(), " does not exist"));
}

TEST_F(StartFailureTest, ABucketWithoutPermission) {
  good_.environment = Keys(RadosgwProcess::kStrangerAccessKey, RadosgwProcess::kStrangerSecretKey);
  ExpectRefused(good_, "the keys may not do that in the bucket \"cluster\"");
}

TEST_F(StartFailureTest, AWrongKey) {
  good_.environment = Keys(RadosgwProcess::kAccessKey, "wrong");
  ExpectRefused(good_, "the secret key does not belong to the access key");
}

TEST_F(StartFailureTest, NoCredentials) {
  good_.environment.clear();
  ExpectRefused(good_, "there are no credentials for S3");
}

TEST_F(StartFailureTest, HalfACredential) {
  good_.environment = {"AWS_ACCESS_KEY_ID=alone"};
  ExpectRefused(good_, "the environment has only one of access key id and secret access key");
}

TEST_F(StartFailureTest, NobodyAnswersAtTheObjectStore) {
  good_.objects = "s3://cluster/quantd?endpoint=http://127.0.0.1:1";
  ExpectRefused(good_, "can not open s3://cluster/quantd/: http://127.0.0.1:1");
}

TEST_F(StartFailureTest, ADatabaseThatIsAway) {
  good_.catalogue = "postgresql://quantd@127.0.0.1:1/quantd";
  ExpectRefused(good_, "cannot connect to the catalogue");
}

TEST_F(StartFailureTest, ADatabaseOfANewerProgram) {
  good_.catalogue = Schema("newer");
  SharedCluster().Sql(
      "CREATE TABLE newer.schema_version (version BIGINT NOT NULL); INSERT INTO newer.schema_version VALUES "
      "(1000)");
  ExpectRefused(good_, "the catalogue has version 1000");
}

TEST_F(StartFailureTest, TablesOfAnotherProgram) {
  good_.catalogue = Schema("foreign_tables");
  SharedCluster().Sql("CREATE TABLE foreign_tables.blobs (of_another_program TEXT)");
  ExpectRefused(good_, "relation \"blobs\" already exists");
}

// Not refused: a migration whose server was killed in its middle has not happened.
TEST_F(StartFailureTest, AMigrationThatWasKilledIsDoneAgain) {
  const std::string catalogue = Schema("half_migrated");
  auto migrating = *PostgresConnection::Connect(catalogue);
  ASSERT_TRUE(migrating
                  ->Execute("BEGIN; SELECT pg_advisory_xact_lock(7165749122);"
                            "CREATE TABLE schema_version (version BIGINT NOT NULL);"
                            "CREATE TABLE blobs (sha256 TEXT)")
                  .ok());
  ServerProcess server({.arguments = {"--catalogue", catalogue, "--objects", SharedCluster().objects_url()},
                        .environment = Cluster::Environment()});
  std::jthread start([&] { server.Start(); });
  // It waits for the other, which dies then.
  ASSERT_TRUE(Eventually([] {
    return !SharedCluster().Sql("SELECT 1 FROM pg_locks WHERE locktype='advisory' AND NOT granted").empty();
  }));
  migrating.reset();
  start.join();
  EXPECT_FALSE(SharedCluster().Sql("SELECT version FROM half_migrated.schema_version").empty());
}

}  // namespace
}  // namespace quantd
