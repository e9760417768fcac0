// A database in one file: WAL mode, foreign keys on, one connection whose transactions run one after another.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <mutex>
#include <string>

#include "storage/catalogue/database.h"

namespace quantd {

class SqliteDatabase : public Database {
 public:
  // Makes or migrates the file at `path`.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path, Clock& clock);

  absl::StatusOr<std::unique_ptr<Transaction>> Begin() override { return Start("BEGIN IMMEDIATE"); }
  absl::StatusOr<std::unique_ptr<Transaction>> BeginRead() override { return Start("BEGIN"); }
  bool is_shared() const override { return false; }
  // Nobody else publishes.
  void Listen(PublicationListener /*listener*/) override {}
  void StopListening() override {}

  // Several statements without parameters, outside of transactions.
  absl::Status Execute(const std::string& sql);

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  SqliteDatabase(sqlite3* connection, Clock& clock) : connection_(connection), clock_(clock) {}

  absl::Status Migrate();
  absl::StatusOr<std::unique_ptr<Transaction>> Start(const char* begin);

  std::unique_ptr<sqlite3, Close> connection_;
  Clock& clock_;
  std::mutex mutex_;  // held by the transaction that runs
};

}  // namespace quantd
