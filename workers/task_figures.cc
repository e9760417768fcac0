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
    stage_seconds_[stage_] += std::chrono::duration<double>(now - stage_begin_).count();
  }
  stage_ = stage;
  stage_begin_ = now;
}

void TaskFigures::AddRead(int64_t bytes) {
  std::lock_guard lock(mutex_);
  source_bytes_read_ += bytes;
}

void TaskFigures::AddEncoded(std::string_view device, std::string_view codec, int64_t bytes) {
  std::lock_guard lock(mutex_);
  encoded_bytes_[{std::string(device), std::string(codec)}] += bytes;
}

v1::WorkerFigures TaskFigures::Take() {
  std::lock_guard lock(mutex_);
  v1::WorkerFigures out;
  out.set_memory_peak_bytes(PeakMemory());
  out.set_source_bytes_read(std::exchange(source_bytes_read_, 0));
  out.mutable_stage_seconds()->insert(stage_seconds_.begin(), stage_seconds_.end());
  for (const auto& [by, bytes] : encoded_bytes_) {
    v1::EncodedBytes* encoded = out.add_encoded();
    encoded->set_device(by.first);
    encoded->set_codec(by.second);
    encoded->set_bytes(bytes);
  }
  stage_seconds_.clear();
  encoded_bytes_.clear();
  return out;
}

void TaskFigures::GiveBack(const v1::WorkerFigures& figures) {
  std::lock_guard lock(mutex_);
  source_bytes_read_ += figures.source_bytes_read();
  for (const auto& [stage, seconds] : figures.stage_seconds()) stage_seconds_[stage] += seconds;
  for (const v1::EncodedBytes& encoded : figures.encoded())
    encoded_bytes_[{encoded.device(), encoded.codec()}] += encoded.bytes();
}

}  // namespace quantd
