#include "storage/catalogue/database.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace quantd {
namespace {

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

}  // namespace

Statement::Statement(sqlite3* connection, std::string_view sql) : connection_(connection) {
  sqlite3_stmt* statement = nullptr;
  // A statement that can't be prepared stays null, and Step reports the error.
  sqlite3_prepare_v2(connection, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  statement_.reset(statement);
}

Statement& Statement::Bind(int64_t value) {
  sqlite3_bind_int64(statement_.get(), next_parameter_++, value);
  return *this;
}

Statement& Statement::Bind(const std::string& value) {
  // Blobs compare bytewise with texts only of the same kind, so everything is text; serialized bytes may hold
  // NULs.
  sqlite3_bind_text64(statement_.get(), next_parameter_++, value.data(), value.size(), SQLITE_TRANSIENT,
                      SQLITE_UTF8);
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  if (statement_ == nullptr) return Error();
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return Error();
}

absl::Status Statement::Run() {
  for (;;) {
    ASSIGN_OR_RETURN(bool row, Step());
    if (!row) return absl::OkStatus();
  }
}

std::string Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr ? "" : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

absl::Status Statement::Error() const { return SqliteError(connection_); }

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  sqlite3* connection = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  std::unique_ptr<Database> database(new Database(connection));
  if (result != SQLITE_OK)
    return absl::InternalError(
        absl::StrCat("cannot open the catalogue ", path, ": ", sqlite3_errstr(result)));
  sqlite3_busy_timeout(connection, 10000);
  RETURN_IF_ERROR(
      database->Execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"));
  return database;
}

absl::Status Database::Execute(const std::string& sql) {
  if (sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return SqliteError(connection_.get());
  return absl::OkStatus();
}

}  // namespace quantd
