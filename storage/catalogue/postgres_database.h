// A database that several programs share: a pool of connections, whose transactions run at the same time.
//
// Isolation: READ COMMITTED with locks. Each statement sees what was committed before it, so what is read
// after a lock is true, and what is locked is locked in one order (catalogue.h). SERIALIZABLE would need no
// locks, but tables of a few rows are read whole, so that any two leases would conflict, and SKIP LOCKED
// would fail where it should skip. Reads are REPEATABLE READ, READ ONLY: one snapshot, no locks, no
// conflicts.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage/catalogue/database.h"
#include "storage/catalogue/postgres_connection.h"
#include "storage/catalogue/postgres_listener.h"

namespace quantd {

class PostgresDatabase : public Database {
 public:
  // Makes or migrates the tables; programs that start at once do so one after another. `url` is libpq's
  // ("postgresql://USER@HOST/DATABASE?…"); a password may come from PGPASSWORD or a password file.
  static absl::StatusOr<std::unique_ptr<PostgresDatabase>> Open(const std::string& url);
  ~PostgresDatabase() override;

  absl::StatusOr<std::unique_ptr<Transaction>> Begin() override;
  absl::StatusOr<std::unique_ptr<Transaction>> BeginRead() override;
  bool is_shared() const override { return true; }
  void Listen(PublicationListener listener) override;
  void StopListening() override { listener_.reset(); }

 private:
  explicit PostgresDatabase(std::string url);

  absl::Status Migrate();
  struct Begun {
    std::unique_ptr<PostgresConnection> connection;
    PostgresRows rows;
  };
  // A connection on which `begin` has run.
  absl::StatusOr<Begun> Start(const std::string& begin);
  // Waits while all are in use. Null: the caller is to open one.
  absl::StatusOr<std::unique_ptr<PostgresConnection>> Take();
  void GiveBack(std::unique_ptr<PostgresConnection> connection);
  friend class PostgresTransaction;

  const std::string url_;
  const std::string instance_;  // marks what this program published
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<PostgresConnection>> idle_;
  int in_use_ = 0;
  std::unique_ptr<PostgresListener> listener_;
};

}  // namespace quantd
