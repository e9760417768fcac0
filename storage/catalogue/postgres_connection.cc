#include "storage/catalogue/postgres_connection.h"

#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace quantd {
namespace {

constexpr Oid kUnknownType = 0;  // the server takes what fits the column
constexpr Oid kBigInt = 20;
constexpr int kBinary = 1;
// Filters make statements of many forms; a server keeps no more of them for a connection.
constexpr size_t kMostPrepared = 200;

// One that holds locks while its program hangs must not stop all others.
constexpr char kSessionSettings[] =
    "SET lock_timeout='10s'; SET statement_timeout='30s'; SET idle_in_transaction_session_timeout='30s'";

absl::StatusCode CodeOf(std::string_view sqlstate) {
  struct Meaning {
    const char* prefix;
    absl::StatusCode code;
  };
  // Appendix A of PostgreSQL's manual.
  static constexpr Meaning kMeanings[] = {
      {"08", absl::StatusCode::kAborted},               // the connection failed
      {"22021", absl::StatusCode::kInvalidArgument},    // not UTF-8, or a NUL
      {"22P05", absl::StatusCode::kInvalidArgument},    // a character that the database's encoding lacks
      {"23503", absl::StatusCode::kAborted},            // another transaction removed what this row refers to
      {"23505", absl::StatusCode::kAborted},            // another transaction made the same row
      {"25006", absl::StatusCode::kUnavailable},        // a standby
      {"25P03", absl::StatusCode::kAborted},            // idle in a transaction for too long
      {"28", absl::StatusCode::kUnavailable},           // credentials
      {"40", absl::StatusCode::kAborted},               // serialization failure, deadlock
      {"42501", absl::StatusCode::kPermissionDenied},   // a privilege
      {"53100", absl::StatusCode::kResourceExhausted},  // the disk is full
      {"53", absl::StatusCode::kUnavailable},           // memory, connections
      {"55P03", absl::StatusCode::kUnavailable},        // lock_timeout
      {"57014", absl::StatusCode::kUnavailable},        // statement_timeout
      {"57P", absl::StatusCode::kAborted},              // the server stops or starts
  };
  for (const Meaning& meaning : kMeanings) {
    if (sqlstate.starts_with(meaning.prefix)) return meaning.code;
  }
  return absl::StatusCode::kInternal;
}

// libpq's messages have several lines where several addresses were tried.
std::string OneLine(std::string_view message) {
  const std::vector<absl::string_view> lines =
      absl::StrSplit(absl::string_view(message.data(), message.size()), '\n', absl::SkipWhitespace());
  return absl::StrJoin(lines, "; ", [](std::string* out, absl::string_view line) {
    absl::StrAppend(out, absl::StripAsciiWhitespace(line));
  });
}

// "a=? AND b=?" as PostgreSQL numbers them. No statement of the catalogue has a question mark in a string.
std::string NumberParameters(std::string_view sql) {
  std::string numbered;
  int number = 0;
  for (const char c : sql) {
    if (c == '?') {
      absl::StrAppend(&numbered, "$", ++number);
    } else {
      numbered.push_back(c);
    }
  }
  return numbered;
}

}  // namespace

int64_t PostgresRows::Integer(int row, int column) const {
  const char* bytes = PQgetvalue(result_.get(), row, column);
  const int size = PQgetlength(result_.get(), row, column);
  if (size == 0) return 0;
  // The first byte carries the sign.
  uint64_t value = static_cast<uint64_t>(static_cast<int64_t>(static_cast<signed char>(bytes[0])));
  for (int i = 1; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return static_cast<int64_t>(value);
}

std::string PostgresRows::Text(int row, int column) const {
  return std::string(PQgetvalue(result_.get(), row, column),
                     static_cast<size_t>(PQgetlength(result_.get(), row, column)));
}

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresConnection::Connect(const std::string& url) {
  // What the address says of these, which comes later, counts. A server that vanished is noticed by
  // keepalives and by unacknowledged bytes.
  constexpr const char* kKeywords[] = {"application_name",
                                       "client_encoding",
                                       "connect_timeout",
                                       "keepalives_idle",
                                       "keepalives_interval",
                                       "keepalives_count",
                                       "target_session_attrs",
                                       "tcp_user_timeout",
                                       "dbname",
                                       nullptr};
  const char* const values[] = {"quantd", "UTF8",       "5",     "20",        "5",
                                "3",      "read-write", "20000", url.c_str(), nullptr};
  static_assert(std::size(kKeywords) == std::size(values));
  std::unique_ptr<PostgresConnection> connection(
      new PostgresConnection(PQconnectdbParams(kKeywords, values, /*expand_dbname=*/1)));
  if (connection->IsBroken()) {
    return absl::UnavailableError(absl::StrCat("cannot connect to the catalogue: ",
                                               OneLine(PQerrorMessage(connection->connection_.get()))));
  }
  // "relation exists already, skipping" is nothing that a server's log needs.
  PQsetNoticeProcessor(
      connection->connection_.get(), [](void* /*unused*/, const char* /*message*/) {}, nullptr);
  RETURN_IF_ERROR(connection->Execute(kSessionSettings).status());
  return connection;
}

absl::StatusOr<PostgresRows> PostgresConnection::Execute(const std::string& sql) {
  return Check(PQexec(connection_.get(), sql.c_str()));
}

absl::StatusOr<PostgresRows> PostgresConnection::Run(const std::string& sql,
                                                     const std::vector<PostgresParameter>& parameters) {
  ASSIGN_OR_RETURN(const std::string name, NameOf(sql, parameters));
  std::vector<const char*> values;
  std::vector<int> sizes;
  for (const PostgresParameter& parameter : parameters) {
    values.push_back(parameter.bytes.data());
    sizes.push_back(static_cast<int>(parameter.bytes.size()));
  }
  const std::vector<int> formats(parameters.size(), kBinary);
  return Check(PQexecPrepared(connection_.get(), name.c_str(), static_cast<int>(parameters.size()),
                              values.data(), sizes.data(), formats.data(), kBinary));
}

absl::StatusOr<std::string> PostgresConnection::NameOf(const std::string& sql,
                                                       const std::vector<PostgresParameter>& parameters) {
  if (auto found = prepared_.find(sql); found != prepared_.end()) return found->second;
  if (prepared_.size() >= kMostPrepared) {
    RETURN_IF_ERROR(Execute("DEALLOCATE ALL").status());
    prepared_.clear();
  }
  std::vector<Oid> types;
  types.reserve(parameters.size());
  for (const PostgresParameter& parameter : parameters)
    types.push_back(parameter.is_integer ? kBigInt : kUnknownType);
  const std::string name = absl::StrCat("s", prepared_.size());
  RETURN_IF_ERROR(Check(PQprepare(connection_.get(), name.c_str(), NumberParameters(sql).c_str(),
                                  static_cast<int>(types.size()), types.data()))
                      .status());
  prepared_[sql] = name;
  return name;
}

absl::StatusOr<PostgresRows> PostgresConnection::Check(PGresult* result) {
  PostgresRows rows(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return rows;
  const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  // Without a code it is libpq that speaks: the connection broke.
  const absl::StatusCode code = IsBroken()            ? absl::StatusCode::kAborted
                                : sqlstate == nullptr ? absl::StatusCode::kInternal
                                                      : CodeOf(sqlstate);
  const std::string message = OneLine(primary == nullptr ? PQerrorMessage(connection_.get()) : primary);
  return absl::Status(code, absl::StrCat("catalogue: ", message));
}

absl::StatusOr<std::vector<std::string>> PostgresConnection::Notifications() {
  if (PQconsumeInput(connection_.get()) == 0)
    return absl::UnavailableError(absl::StrCat("catalogue: ", OneLine(PQerrorMessage(connection_.get()))));
  std::vector<std::string> messages;
  struct Free {
    void operator()(PGnotify* notification) const { PQfreemem(notification); }
  };
  while (std::unique_ptr<PGnotify, Free> notification{PQnotifies(connection_.get())})
    messages.emplace_back(notification->extra);
  return messages;
}

}  // namespace quantd
