// Runs one assignment: reads the model from the object store, inspects, plans or quantizes, and makes the
// answer's message.
#pragma once

#include <functional>
#include <string_view>

#include "quantd/v1/worker_service.pb.h"
#include "storage/objects/object_store.h"
#include "workers/engine/device_policy.h"

namespace quantd {

// What this engine can do on those devices, for LeaseRequest.
v1::Engine DescribeEngine(const DevicePolicy& devices);

struct TaskOptions {
  int threads = 1;
  DevicePolicy* devices = nullptr;  // null: the CPU
  // Called often. Returning false stops the task with CANCELLED.
  std::function<bool(const v1::JobProgress&)> on_progress;
  // So many bytes more of the model's files were read. Called from several threads.
  std::function<void(int64_t bytes)> on_read;
  // So many bytes more of artifacts were encoded by that kind of device and codec.
  std::function<void(std::string_view device, const quant::Codec& codec, int64_t bytes)> on_encoded;
};

// Fills the result of `out`. Errors carry the field that is wrong (base/status.h).
absl::Status RunTask(const v1::Assignment& assignment, ObjectStore& store, const TaskOptions& options,
                     v1::CompleteRequest& out);

}  // namespace quantd
