// A real quantd-worker.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace quantd {

// The program of this build. May be killed and started again. Not thread-safe.
class WorkerProcess {
 public:
  // `environment` comes before this process's own. What it logs is added to the file `log`.
  WorkerProcess(std::vector<std::string> arguments, std::vector<std::string> environment, std::string log);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  void Start();
  // SIGKILL, as a crash.
  void Kill();
  // Waits for its end; the exit status, or 128 and the signal that ended it.
  int Wait();

 private:
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::string log_;
  pid_t pid_ = -1;
};

}  // namespace quantd
