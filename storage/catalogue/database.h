// A thin RAII layer over SQLite's C API.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd {

// One row at a time of one statement. Bind in order, then Step until it says false.
class Statement {
 public:
  Statement(sqlite3* connection, std::string_view sql);

  Statement& Bind(int64_t value);
  Statement& Bind(const std::string& value);
  template <typename... Values>
  Statement& BindAll(const Values&... values) {
    (Bind(values), ...);
    return *this;
  }

  // True: a row is there. False: the end.
  absl::StatusOr<bool> Step();
  // Runs a statement that returns no rows.
  absl::Status Run();

  int64_t Integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::string Text(int column) const;
  bool IsNull(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  absl::Status Error() const;

  sqlite3* connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int next_parameter_ = 1;
};

// One connection. Used under the owner's lock.
class Database {
 public:
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);

  Statement Prepare(std::string_view sql) { return Statement(connection_.get(), sql); }
  // One or several statements without parameters.
  absl::Status Execute(const std::string& sql);
  // Rows that the last statement changed.
  int64_t Changes() const { return sqlite3_changes64(connection_.get()); }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  explicit Database(sqlite3* connection) : connection_(connection) {}

  std::unique_ptr<sqlite3, Close> connection_;
};

// Brings the tables to the newest version. FAILED_PRECONDITION for a database of a newer program.
absl::Status Migrate(Database& database);

}  // namespace quantd
