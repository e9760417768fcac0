// What the catalogue needs of a database: transactions that run statements, and news from other programs that
// use it. Two implementations: sqlite_database.h and postgres_database.h. Statements are SQL that both take;
// parameters are question marks. Where the dialects differ, Dialect has the words.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace quantd {

// One row at a time of one statement. Bind in order, then Step until it says false. Gone before its
// transaction ends.
//
// Errors: ABORTED says that the database took the transaction back (another one was in the way, the
// connection broke) and that it may be run again; RESOURCE_EXHAUSTED is a full disk, UNAVAILABLE a database
// that does not answer.
class Statement {
 public:
  virtual ~Statement() = default;

  virtual void Bind(int64_t value) = 0;
  // Text, or bytes for a column of bytes.
  virtual void Bind(const std::string& value) = 0;
  template <typename... Values>
  Statement& BindAll(const Values&... values) {
    (Bind(values), ...);
    return *this;
  }

  // True: a row is there. False: the end.
  virtual absl::StatusOr<bool> Step() = 0;
  // Steps to the end.
  absl::Status Run();
  // The first column of all rows.
  absl::StatusOr<std::vector<std::string>> Texts();

  virtual int64_t Integer(int column) const = 0;
  virtual std::string Text(int column) const = 0;  // empty where the column is NULL
  virtual bool IsNull(int column) const = 0;
};

// SQLite's transactions run one after another, so it needs no locks: its words are empty.
struct Dialect {
  const char* lock_rows;       // ends a SELECT: nobody else changes its rows before this transaction ends
  const char* lock_free_rows;  // the same, but rows that others have locked are left out
  const char* lock_content;    // a SELECT: the only transaction that holds it goes on
  const char* lock_queue;      // another one
};

// Used by one thread. Rolled back when destroyed without Commit.
class Transaction {
 public:
  virtual ~Transaction() = default;

  virtual std::unique_ptr<Statement> Prepare(std::string_view sql) = 0;
  virtual const Dialect& dialect() const = 0;
  // By the clock that all users of the database share.
  virtual absl::Time Now() = 0;
  // Other programs' Listen gets `message` when this transaction is committed.
  virtual absl::Status Publish(const std::string& message) = 0;
  // UNAVAILABLE also where nobody knows whether it was committed, because the connection broke.
  virtual absl::Status Commit() = 0;
};

// Called from a thread of the database's.
struct PublicationListener {
  std::function<void(std::string_view message)> on_message;
  // Messages may have been missed until now: at first, and whenever the connection was lost.
  std::function<void()> on_missed;
};

// Safe for concurrent use.
class Database {
 public:
  virtual ~Database() = default;

  // One that changes something. Statements see what was committed before each of them, so that what is read
  // after a lock is true.
  virtual absl::StatusOr<std::unique_ptr<Transaction>> Begin() = 0;
  // One that only reads, all of it as of one moment, and waits for nobody.
  virtual absl::StatusOr<std::unique_ptr<Transaction>> BeginRead() = 0;
  // True: other programs may use the database at the same time.
  virtual bool is_shared() const = 0;
  // What others publish, until StopListening, which waits for a call that runs.
  virtual void Listen(PublicationListener listener) = 0;
  virtual void StopListening() = 0;
};

// Opens "sqlite:PATH" or "postgresql://…" and brings its tables to the newest version. `clock` outlives the
// database; it is SQLite's, PostgreSQL has its own. FAILED_PRECONDITION for a database of a newer program.
absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& address, Clock& clock);

}  // namespace quantd
