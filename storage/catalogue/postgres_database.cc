#include "storage/catalogue/postgres_database.h"

#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/random_id.h"
#include "base/status.h"
#include "storage/catalogue/migrations.h"

namespace quantd {
namespace {

// A catalogue's calls take milliseconds, so a few connections serve many callers.
constexpr int kConnections = 8;
constexpr std::chrono::seconds kWaitForConnection(10);
constexpr char kChannel[] = "quantd_catalogue";

// These locks are numbers of tables, so that catalogues in several schemas don't wait for each other.
constexpr Dialect kDialect = {.lock_rows = " FOR UPDATE",
                              .lock_free_rows = " FOR UPDATE SKIP LOCKED",
                              .lock_content = "SELECT pg_advisory_xact_lock('blobs'::regclass::oid::bigint)",
                              .lock_queue = "SELECT pg_advisory_xact_lock('shares'::regclass::oid::bigint)"};
// Before there are tables.
constexpr char kLockMigrations[] = "SELECT pg_advisory_xact_lock(7165749122)";

constexpr char kBegin[] =
    "BEGIN ISOLATION LEVEL READ COMMITTED;"
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
constexpr char kBeginRead[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

std::string BigEndian(int64_t value) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(static_cast<uint64_t>(value) >> (56 - 8 * i));
  return bytes;
}

absl::StatusOr<int64_t> ReadInteger(const PostgresRows& text_rows) {
  int64_t value = 0;
  if (text_rows.size() != 1 || !absl::SimpleAtoi(text_rows.Text(0, 0), &value))
    return absl::InternalError("catalogue: the database answered with no number");
  return value;
}

class PostgresStatement : public Statement {
 public:
  PostgresStatement(PostgresConnection& connection, std::string_view sql)
      : connection_(connection), sql_(sql) {}

  void Bind(int64_t value) override { parameters_.push_back({BigEndian(value), true}); }
  void Bind(const std::string& value) override { parameters_.push_back({value, false}); }

  absl::StatusOr<bool> Step() override {
    if (rows_ == nullptr) {
      ASSIGN_OR_RETURN(PostgresRows rows, connection_.Run(sql_, parameters_));
      rows_ = std::make_unique<PostgresRows>(std::move(rows));
    }
    return ++row_ < rows_->size();
  }

  int64_t Integer(int column) const override { return rows_->Integer(row_, column); }
  std::string Text(int column) const override { return rows_->Text(row_, column); }
  bool IsNull(int column) const override { return rows_->IsNull(row_, column); }

 private:
  PostgresConnection& connection_;
  const std::string sql_;
  std::vector<PostgresParameter> parameters_;
  std::unique_ptr<PostgresRows> rows_;
  int row_ = -1;
};

}  // namespace

class PostgresTransaction : public Transaction {
 public:
  PostgresTransaction(PostgresDatabase& database, std::unique_ptr<PostgresConnection> connection,
                      absl::Time now)
      : database_(database), connection_(std::move(connection)), now_(now) {}

  ~PostgresTransaction() override {
    if (!connection_->IsIdle()) static_cast<void>(connection_->Execute("ROLLBACK"));
    database_.GiveBack(std::move(connection_));
  }

  std::unique_ptr<Statement> Prepare(std::string_view sql) override {
    return std::make_unique<PostgresStatement>(*connection_, sql);
  }
  const Dialect& dialect() const override { return kDialect; }
  // As it was when the transaction began: what waited for a lock since then makes no lease longer.
  absl::Time Now() override { return now_; }

  absl::Status Publish(const std::string& message) override {
    const std::unique_ptr<Statement> notify = Prepare("SELECT pg_notify(?,?)");
    return notify->BindAll(std::string(kChannel), absl::StrCat(database_.instance_, " ", message)).Run();
  }

  absl::Status Commit() override {
    const absl::StatusOr<PostgresRows> rows = connection_->Execute("COMMIT");
    if (absl::IsAborted(rows.status())) {
      return absl::UnavailableError(
          absl::StrCat(rows.status().message(), "; the change may or may not have been recorded"));
    }
    RETURN_IF_ERROR(rows.status());
    // The server answers so, without an error, when a statement had failed.
    if (rows->tag() != "COMMIT") return absl::AbortedError("catalogue: the transaction was rolled back");
    return absl::OkStatus();
  }

 private:
  PostgresDatabase& database_;
  std::unique_ptr<PostgresConnection> connection_;
  const absl::Time now_;
};

PostgresDatabase::PostgresDatabase(std::string url) : url_(std::move(url)), instance_(RandomId()) {}

PostgresDatabase::~PostgresDatabase() = default;

absl::StatusOr<std::unique_ptr<PostgresDatabase>> PostgresDatabase::Open(const std::string& url) {
  std::unique_ptr<PostgresDatabase> database(new PostgresDatabase(url));
  RETURN_IF_ERROR(database->Migrate());
  return database;
}

absl::Status PostgresDatabase::Migrate() {
  ASSIGN_OR_RETURN(std::unique_ptr<PostgresConnection> connection, PostgresConnection::Connect(url_));
  // All of it or nothing: tables are made in transactions, too. A large migration may take its time.
  RETURN_IF_ERROR(
      connection
          ->Execute(absl::StrCat("BEGIN ISOLATION LEVEL READ COMMITTED;",
                                 "SET LOCAL lock_timeout=0; SET LOCAL statement_timeout=0;", kLockMigrations))
          .status());
  RETURN_IF_ERROR(connection
                      ->Execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL);"
                                "INSERT INTO schema_version SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM "
                                "schema_version)")
                      .status());
  ASSIGN_OR_RETURN(PostgresRows rows, connection->Execute("SELECT version FROM schema_version"));
  ASSIGN_OR_RETURN(const int64_t version, ReadInteger(rows));
  ASSIGN_OR_RETURN(std::vector<Migration> migrations, PostgresMigrationsAfter(version));
  for (const Migration& migration : migrations) {
    const absl::StatusOr<PostgresRows> done = connection->Execute(
        absl::StrCat(migration.sql, "UPDATE schema_version SET version=", migration.version));
    if (!done.ok()) return Annotate(done.status(), absl::StrCat("the tables of version ", migration.version));
  }
  return connection->Execute("COMMIT").status();
}

absl::StatusOr<std::unique_ptr<Transaction>> PostgresDatabase::Begin() {
  ASSIGN_OR_RETURN(Begun begun, Start(kBegin));
  const absl::StatusOr<int64_t> now = ReadInteger(begun.rows);
  auto transaction = std::make_unique<PostgresTransaction>(*this, std::move(begun.connection),
                                                           absl::FromUnixMicros(now.value_or(0)));
  RETURN_IF_ERROR(now.status());
  return transaction;
}

absl::StatusOr<std::unique_ptr<Transaction>> PostgresDatabase::BeginRead() {
  ASSIGN_OR_RETURN(Begun begun, Start(kBeginRead));
  return std::make_unique<PostgresTransaction>(*this, std::move(begun.connection), absl::InfinitePast());
}

absl::StatusOr<PostgresDatabase::Begun> PostgresDatabase::Start(const std::string& begin) {
  // After the server restarted, the idle connections are broken, one after the other.
  for (;;) {
    ASSIGN_OR_RETURN(std::unique_ptr<PostgresConnection> connection, Take());
    const bool fresh = connection == nullptr;
    if (fresh) {
      absl::StatusOr<std::unique_ptr<PostgresConnection>> opened = PostgresConnection::Connect(url_);
      if (!opened.ok()) {
        GiveBack(nullptr);
        return opened.status();
      }
      connection = *std::move(opened);
    }
    absl::StatusOr<PostgresRows> rows = connection->Execute(begin);
    if (rows.ok()) return Begun{std::move(connection), *std::move(rows)};
    GiveBack(std::move(connection));
    if (fresh || !absl::IsAborted(rows.status())) return rows.status();
  }
}

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresDatabase::Take() {
  std::unique_lock lock(mutex_);
  if (!returned_.wait_for(lock, kWaitForConnection, [&] { return in_use_ < kConnections; }))
    return absl::UnavailableError("catalogue: all connections to the database are busy");
  ++in_use_;
  if (idle_.empty()) return std::unique_ptr<PostgresConnection>();
  std::unique_ptr<PostgresConnection> connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void PostgresDatabase::GiveBack(std::unique_ptr<PostgresConnection> connection) {
  std::lock_guard lock(mutex_);
  --in_use_;
  if (connection != nullptr && connection->IsIdle()) idle_.push_back(std::move(connection));
  returned_.notify_one();
}

void PostgresDatabase::Listen(PublicationListener listener) {
  PublicationListener of_others = std::move(listener);
  of_others.on_message = [this, on_message = std::move(of_others.on_message)](std::string_view message) {
    // What this program published comes back, too.
    const size_t space = message.find(' ');
    if (space != message.npos && message.substr(0, space) != instance_) on_message(message.substr(space + 1));
  };
  listener_ = std::make_unique<PostgresListener>(url_, kChannel, std::move(of_others));
}

}  // namespace quantd
