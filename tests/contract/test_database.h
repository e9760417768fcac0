// Databases to test the catalogue in. Their clocks stand still until the test moves them.
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"

namespace quantd {

class TestDatabase {
 public:
  virtual ~TestDatabase() = default;

  // For Catalogue::Open, with clock().
  virtual std::string address() const = 0;
  virtual Clock& clock() = 0;
  virtual void Advance(absl::Duration by) = 0;
};

// A file in a folder of its own.
std::unique_ptr<TestDatabase> MakeSqliteTestDatabase();
// A schema of its own in PostgresServer::Shared(). Its clock_timestamp() hides the server's.
std::unique_ptr<TestDatabase> MakePostgresTestDatabase();

}  // namespace quantd
