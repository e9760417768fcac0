// What Ctrl-C does.
#pragma once

#include <functional>
#include <mutex>
#include <thread>

namespace quantd {

// Must be made before any other thread: those inherit that SIGINT is blocked. Until an action is set SIGINT
// ends the program as it does by default; with one, the first SIGINT runs it (on a thread of its own) and the
// next one ends the program.
class Interrupts {
 public:
  Interrupts();

  // Null: back to the default.
  void Set(std::function<void()> action);

 private:
  void Run(const std::stop_token& stop);

  std::mutex mutex_;
  std::function<void()> action_;
  std::jthread thread_;
};

}  // namespace quantd
