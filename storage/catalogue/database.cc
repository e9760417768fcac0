#include "storage/catalogue/database.h"

#include "base/status.h"
#include "storage/catalogue/postgres_database.h"
#include "storage/catalogue/sqlite_database.h"

namespace quantd {

absl::Status Statement::Run() {
  for (;;) {
    ASSIGN_OR_RETURN(bool row, Step());
    if (!row) return absl::OkStatus();
  }
}

absl::StatusOr<std::vector<std::string>> Statement::Texts() {
  std::vector<std::string> texts;
  for (;;) {
    ASSIGN_OR_RETURN(bool row, Step());
    if (!row) return texts;
    texts.push_back(Text(0));
  }
}

absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& address, Clock& clock) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (address.starts_with(kSqlite)) return SqliteDatabase::Open(address.substr(kSqlite.size()), clock);
  if (address.starts_with("postgresql://") || address.starts_with("postgres://"))
    return PostgresDatabase::Open(address);
  // The address may hold a password, so it is not repeated.
  return absl::InvalidArgumentError("the catalogue is neither of the form sqlite:PATH nor postgresql://…");
}

}  // namespace quantd
