// A thin RAII layer over libpq: a connection, and the rows of its statements.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd {

// All rows of one statement, in binary form.
class PostgresRows {
 public:
  explicit PostgresRows(PGresult* result) : result_(result) {}

  int size() const { return PQntuples(result_.get()); }
  bool IsNull(int row, int column) const { return PQgetisnull(result_.get(), row, column) == 1; }
  // Of a column of two, four or eight bytes.
  int64_t Integer(int row, int column) const;
  std::string Text(int row, int column) const;
  // What was done: "COMMIT", "SELECT 3", ….
  std::string tag() const { return PQcmdStatus(result_.get()); }
  const PGresult* get() const { return result_.get(); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

struct PostgresParameter {
  std::string bytes;  // binary form: of an integer eight bytes, most significant first
  bool is_integer = false;
};

// Used by one thread at a time. Errors as Statement's (database.h).
class PostgresConnection {
 public:
  // `url` as libpq takes it. UNAVAILABLE with the server's own words when it does not let us in.
  static absl::StatusOr<std::unique_ptr<PostgresConnection>> Connect(const std::string& url);

  // One or several statements without parameters; the rows are the last one's, as text.
  absl::StatusOr<PostgresRows> Execute(const std::string& sql);
  // Question marks are the parameters. The server prepares each text once for this connection.
  absl::StatusOr<PostgresRows> Run(const std::string& sql, const std::vector<PostgresParameter>& parameters);

  // The server is there and waits for a transaction to begin.
  bool IsIdle() const { return PQtransactionStatus(connection_.get()) == PQTRANS_IDLE; }
  bool IsBroken() const { return PQstatus(connection_.get()) == CONNECTION_BAD; }
  // The messages that have come since, without waiting. An error says that the connection broke.
  absl::StatusOr<std::vector<std::string>> Notifications();
  // Becomes readable when messages come.
  int descriptor() const { return PQsocket(connection_.get()); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  explicit PostgresConnection(PGconn* connection) : connection_(connection) {}

  absl::StatusOr<std::string> NameOf(const std::string& sql,
                                     const std::vector<PostgresParameter>& parameters);
  absl::StatusOr<PostgresRows> Check(PGresult* result);

  std::unique_ptr<PGconn, Finish> connection_;
  std::map<std::string, std::string> prepared_;  // the server's name of a statement, by its text
};

}  // namespace quantd
