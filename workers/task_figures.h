// What a task did since it was last reported: seconds of its stages, bytes read, bytes encoded by device and
// codec, peak memory.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "quantd/v1/worker_service.pb.h"

namespace quantd {

// Thread-safe.
class TaskFigures {
 public:
  // The task is in that stage from now on; the one before has ended.
  void EnterStage(const std::string& stage);
  void AddRead(int64_t bytes);
  void AddEncoded(std::string_view device, std::string_view codec, int64_t bytes);

  // The increments since the last call, and the process's peak.
  v1::WorkerFigures Take();
  // The report of these did not arrive: they are in the next Take again.
  void GiveBack(const v1::WorkerFigures& figures);

 private:
  std::mutex mutex_;
  std::string stage_;
  std::chrono::steady_clock::time_point stage_begin_;
  std::map<std::string, double> stage_seconds_;
  int64_t source_bytes_read_ = 0;
  std::map<std::pair<std::string, std::string>, int64_t> encoded_bytes_;  // by device and codec
};

}  // namespace quantd
