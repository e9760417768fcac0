#include "client/interrupts.h"

#include <signal.h>
#include <time.h>

#include <utility>

namespace quantd {
namespace {

sigset_t Interrupt() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  return signals;
}

void EndByDefault() {
  const sigset_t signals = Interrupt();
  ::signal(SIGINT, SIG_DFL);
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  ::raise(SIGINT);
}

}  // namespace

Interrupts::Interrupts() {
  const sigset_t signals = Interrupt();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void Interrupts::Set(std::function<void()> action) {
  std::lock_guard lock(mutex_);
  action_ = std::move(action);
}

void Interrupts::Run(const std::stop_token& stop) {
  const sigset_t signals = Interrupt();
  const timespec step{0, 100'000'000};
  while (!stop.stop_requested()) {
    if (::sigtimedwait(&signals, nullptr, &step) != SIGINT) continue;
    std::function<void()> action;
    {
      std::lock_guard lock(mutex_);
      action = std::exchange(action_, nullptr);
    }
    if (!action) return EndByDefault();
    action();
  }
}

}  // namespace quantd
