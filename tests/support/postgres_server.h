// A real PostgreSQL on a unix socket, in a folder of its own.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>

namespace quantd {

// Debian's programs, run as the user postgres when the test is root. Ends with the object, and with the
// test's process if that crashes. Not thread-safe.
class PostgresServer {
 public:
  // Started at the first call, for all tests of this program: making a cluster takes a second.
  static PostgresServer& Shared();

  PostgresServer();
  ~PostgresServer();

  // Waits until it takes connections.
  void Start();
  // As an administrator does: those who are connected are cut off.
  void Stop();
  // Its end and that of all its processes, as a crash; what was committed stays.
  void Kill();

  // The address of its database, for a superuser whom it trusts; `parameters` ("a=b&c=d") are added.
  std::string Address(const std::string& parameters = "") const;
  // The same for a user whose password nobody has told.
  std::string GuestAddress() const;

 private:
  const std::string folder_;
  pid_t pid_ = -1;
  std::thread log_reader_;  // a server whose log nobody reads comes to a halt
};

}  // namespace quantd
