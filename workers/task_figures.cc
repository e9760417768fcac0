#include "workers/task_figures.h"

#include <sys/resource.h>

#include <utility>

namespace quantd {
namespace {

int64_t PeakMemory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

}  // namespace

void TaskFigures::EnterStage(const std::string& stage) {
  std::lock_guard lock(mutex_);
  if (stage == stage_) return;
  const auto now = std::chrono::steady_clock::now();
  if (!stage_.empty()) {
    (*increments_.mutable_stage_seconds())[stage_] +=
        std::chrono::duration<double>(now - stage_begin_).count();
  }
  stage_ = stage;
  stage_begin_ = now;
}

void TaskFigures::AddEncoded(const std::string& codec, int64_t bytes) {
  std::lock_guard lock(mutex_);
  (*increments_.mutable_encoded_bytes())[codec] += bytes;
}

v1::WorkerFigures TaskFigures::Take() {
  std::lock_guard lock(mutex_);
  v1::WorkerFigures out = std::exchange(increments_, {});
  out.set_memory_peak_bytes(PeakMemory());
  out.set_device(device_);
  return out;
}

void TaskFigures::GiveBack(const v1::WorkerFigures& figures) {
  std::lock_guard lock(mutex_);
  for (const auto& [stage, seconds] : figures.stage_seconds())
    (*increments_.mutable_stage_seconds())[stage] += seconds;
  for (const auto& [codec, bytes] : figures.encoded_bytes())
    (*increments_.mutable_encoded_bytes())[codec] += bytes;
}

}  // namespace quantd
