// Starts the local workers and keeps them running.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace quantd {

struct SupervisorOptions {
  int workers = 1;
  int threads = 0;      // of each worker; 0 means all cores
  std::string device;   // "auto", "cpu" or "cuda"; worker i takes GPU i, counted around
  std::string server;   // address the workers call
  std::string objects;  // URL of the object store
  std::string log_format;
  std::string token;  // of the workers; empty: they need none. Only they can read it
  // A worker's process has ended; `how` reads "was killed by signal 9". Called from several threads.
  std::function<void(const std::string& worker_id, const std::string& how)> on_end;
};

// Runs `quantd-worker` from this program's own folder. A worker that ends is started again, after 0.1 s at
// first and up to 10 s when it keeps ending. The destructor asks them to stop, and kills those that have not
// after 5 s.
class Supervisor {
 public:
  explicit Supervisor(SupervisorOptions options);
  ~Supervisor();

 private:
  void Run(int index);
  pid_t Start(int index, const std::string& worker_id);

  SupervisorOptions options_;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace quantd
