// A real quantd on free ports, in a folder of its own.
#pragma once

#include <grpcpp/channel.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quantd {

struct ServerOptions {
  int workers = 0;                       // local worker processes
  std::string data_dir = "";             // below the object's own folder, unless absolute
  std::string listen = "127.0.0.1:0";    // empty: not given as a flag
  std::vector<std::string> arguments{};  // more flags
  std::vector<std::string> environment{};
  bool keep_log = false;  // in log(), not on the test's stderr
};

// The program `quantd` of this build. The folder lasts as long as the object; the process may be killed and
// started again on it. Not thread-safe.
class ServerProcess {
 public:
  explicit ServerProcess(ServerOptions options);
  ~ServerProcess();

  // Waits for the ready line. Each start has a new port.
  void Start();
  // SIGKILL, as a crash.
  void Kill();
  void Signal(int number);
  // SIGTERM; the exit status.
  int Terminate();

  // Process numbers of its children.
  std::vector<pid_t> Workers() const;
  // What it and its workers logged so far.
  std::string Log() const;
  // Most resident memory since the start, in bytes.
  int64_t PeakMemory() const;

  const std::string& folder() const { return folder_; }
  std::string data_folder() const;
  // HOST:PORT or unix:PATH, as the ready line says.
  const std::string& address() const { return address_; }
  const std::string& metrics_address() const { return metrics_address_; }
  // Empty where there is no such port.
  const std::string& health_address() const { return health_address_; }
  std::shared_ptr<grpc::Channel> channel() const { return channel_; }

 private:
  int Wait();

  ServerOptions options_;
  std::string folder_;
  pid_t pid_ = -1;
  std::string address_;
  std::string metrics_address_;
  std::string health_address_;
  std::shared_ptr<grpc::Channel> channel_;
};

// Asks every 20 ms until the predicate holds; false after `deadline`.
bool Eventually(const std::function<bool()>& predicate,
                std::chrono::seconds deadline = std::chrono::seconds(30));

// Body of GET http://ADDRESS/PATH, with its status line before it.
std::string HttpGet(const std::string& address, const std::string& path);

}  // namespace quantd
