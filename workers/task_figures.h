// What a task did since it was last reported: seconds of its stages, bytes encoded by codec, peak memory.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "quantd/v1/worker_service.pb.h"

namespace quantd {

// Thread-safe.
class TaskFigures {
 public:
  // `device` is the one that the task is encoded on: "cpu" or "cuda".
  explicit TaskFigures(std::string device) : device_(std::move(device)) {}

  // The task is in that stage from now on; the one before has ended.
  void EnterStage(const std::string& stage);
  void AddEncoded(const std::string& codec, int64_t bytes);

  // The increments since the last call, and the process's peak.
  v1::WorkerFigures Take();
  // The report of these did not arrive: they are in the next Take again.
  void GiveBack(const v1::WorkerFigures& figures);

 private:
  const std::string device_;
  std::mutex mutex_;
  std::string stage_;
  std::chrono::steady_clock::time_point stage_begin_;
  v1::WorkerFigures increments_;
};

}  // namespace quantd
