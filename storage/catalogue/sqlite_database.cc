#include "storage/catalogue/sqlite_database.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "storage/catalogue/migrations.h"

namespace quantd {
namespace {

constexpr Dialect kDialect = {
    .lock_rows = "", .lock_free_rows = "", .lock_content = "SELECT 1", .lock_queue = "SELECT 1"};

absl::Status SqliteError(sqlite3* connection) {
  const std::string message = absl::StrCat("catalogue: ", sqlite3_errmsg(connection));
  switch (sqlite3_errcode(connection) & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::Status RunAll(sqlite3* connection, const std::string& sql) {
  if (sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return SqliteError(connection);
  return absl::OkStatus();
}

class SqliteStatement : public Statement {
 public:
  SqliteStatement(sqlite3* connection, std::string_view sql) : connection_(connection) {
    sqlite3_stmt* statement = nullptr;
    // A statement that can't be prepared stays null, and Step reports the error.
    sqlite3_prepare_v2(connection, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    statement_.reset(statement);
  }

  void Bind(int64_t value) override { sqlite3_bind_int64(statement_.get(), next_parameter_++, value); }

  void Bind(const std::string& value) override {
    // Blobs compare bytewise with texts only of the same kind, so everything is text; serialized bytes may
    // hold NULs.
    sqlite3_bind_text64(statement_.get(), next_parameter_++, value.data(), value.size(), SQLITE_TRANSIENT,
                        SQLITE_UTF8);
  }

  absl::StatusOr<bool> Step() override {
    if (statement_ == nullptr) return SqliteError(connection_);
    const int result = sqlite3_step(statement_.get());
    if (result == SQLITE_ROW) return true;
    if (result == SQLITE_DONE) return false;
    return SqliteError(connection_);
  }

  int64_t Integer(int column) const override { return sqlite3_column_int64(statement_.get(), column); }

  std::string Text(int column) const override {
    const void* bytes = sqlite3_column_blob(statement_.get(), column);
    const int size = sqlite3_column_bytes(statement_.get(), column);
    return bytes == nullptr ? "" : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
  }

  bool IsNull(int column) const override {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  sqlite3* connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int next_parameter_ = 1;
};

class SqliteTransaction : public Transaction {
 public:
  SqliteTransaction(sqlite3* connection, Clock& clock, std::unique_lock<std::mutex> lock)
      : lock_(std::move(lock)), connection_(connection), clock_(clock) {}

  // A commit that fails (a full disk) leaves the transaction open; some errors have rolled it back already.
  ~SqliteTransaction() override {
    if (sqlite3_get_autocommit(connection_) == 0) static_cast<void>(RunAll(connection_, "ROLLBACK"));
  }

  std::unique_ptr<Statement> Prepare(std::string_view sql) override {
    return std::make_unique<SqliteStatement>(connection_, sql);
  }
  const Dialect& dialect() const override { return kDialect; }
  absl::Time Now() override { return clock_.Now(); }
  absl::Status Publish(const std::string& /*message*/) override { return absl::OkStatus(); }
  absl::Status Commit() override { return RunAll(connection_, "COMMIT"); }

 private:
  std::unique_lock<std::mutex> lock_;
  sqlite3* connection_;
  Clock& clock_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path, Clock& clock) {
  sqlite3* connection = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(connection, clock));
  if (result != SQLITE_OK)
    return absl::InternalError(
        absl::StrCat("cannot open the catalogue ", path, ": ", sqlite3_errstr(result)));
  sqlite3_busy_timeout(connection, 10000);
  RETURN_IF_ERROR(database->Execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"));
  RETURN_IF_ERROR(database->Migrate());
  return database;
}

absl::Status SqliteDatabase::Execute(const std::string& sql) { return RunAll(connection_.get(), sql); }

absl::Status SqliteDatabase::Migrate() {
  int64_t version = 0;
  {
    SqliteStatement read(connection_.get(), "PRAGMA user_version");
    RETURN_IF_ERROR(read.Step().status());
    version = read.Integer(0);
  }
  ASSIGN_OR_RETURN(std::vector<Migration> migrations, SqliteMigrationsAfter(version));
  // A table that is made anew must not take the rows that refer to it along.
  RETURN_IF_ERROR(Execute("PRAGMA foreign_keys=OFF"));
  for (const Migration& migration : migrations) {
    RETURN_IF_ERROR(Execute(absl::StrCat("BEGIN IMMEDIATE;", migration.sql,
                                         "PRAGMA user_version=", migration.version, "; COMMIT;")));
  }
  return Execute("PRAGMA foreign_keys=ON");
}

absl::StatusOr<std::unique_ptr<Transaction>> SqliteDatabase::Start(const char* begin) {
  std::unique_lock lock(mutex_);
  RETURN_IF_ERROR(Execute(begin));
  return std::make_unique<SqliteTransaction>(connection_.get(), clock_, std::move(lock));
}

}  // namespace quantd
