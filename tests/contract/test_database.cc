#include "tests/contract/test_database.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "storage/catalogue/postgres_connection.h"
#include "tests/support/postgres_server.h"

namespace quantd {
namespace {

class ManualClock : public Clock {
 public:
  absl::Time Now() override { return now_; }
  void Advance(absl::Duration by) { now_ += by; }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
};

class SqliteTestDatabase : public TestDatabase {
 public:
  SqliteTestDatabase() { EXPECT_NE(::mkdtemp(folder_.data()), nullptr); }
  ~SqliteTestDatabase() override { std::filesystem::remove_all(folder_); }

  std::string address() const override { return absl::StrCat("sqlite:", folder_, "/catalogue.db"); }
  Clock& clock() override { return clock_; }
  void Advance(absl::Duration by) override { clock_.Advance(by); }

 private:
  std::string folder_ = testing::TempDir() + "/catalogue_XXXXXX";
  ManualClock clock_;
};

class PostgresTestDatabase : public TestDatabase {
 public:
  PostgresTestDatabase() {
    static int number = 0;
    schema_ = absl::StrCat("test_", ++number);
    Execute(absl::Substitute(
        "CREATE SCHEMA $0; CREATE TABLE $0.test_clock AS SELECT to_timestamp(1700000000) AS time;"
        "CREATE FUNCTION $0.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
        " AS 'SELECT time FROM $0.test_clock'",
        schema_));
  }

  // A schema that comes before pg_catalog hides its functions. A deadlock is left alone, so that it becomes
  // an error of the call (lock_timeout) and not a transaction that is tried again.
  std::string address() const override {
    return PostgresServer::Shared().Address(
        absl::StrCat("options=-csearch_path%3D", schema_, "%2Cpg_catalog%20-cdeadlock_timeout%3D1h"));
  }
  Clock& clock() override { return clock_; }
  void Advance(absl::Duration by) override {
    clock_.Advance(by);
    Execute(absl::Substitute("UPDATE $0.test_clock SET time=time+interval '$1 microseconds'", schema_,
                             absl::ToInt64Microseconds(by)));
  }

 private:
  static void Execute(const std::string& sql) {
    auto connection = PostgresConnection::Connect(PostgresServer::Shared().Address());
    ASSERT_TRUE(connection.ok()) << connection.status();
    const auto rows = (*connection)->Execute(sql);
    ASSERT_TRUE(rows.ok()) << rows.status();
  }

  std::string schema_;
  ManualClock clock_;  // shows the same time
};

}  // namespace

std::unique_ptr<TestDatabase> MakeSqliteTestDatabase() { return std::make_unique<SqliteTestDatabase>(); }

std::unique_ptr<TestDatabase> MakePostgresTestDatabase() { return std::make_unique<PostgresTestDatabase>(); }

}  // namespace quantd
