// Counts and times every gRPC call.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <atomic>

#include "server/metrics/metrics.h"

namespace quantd {

// One per server, which both arguments outlive.
// How many calls are running, without those of gRPC's own services (health, reflection). Thread-safe.
class RunningCalls {
 public:
  void Add(int change) { count_ += change; }
  bool None() const { return count_ == 0; }

 private:
  std::atomic<int> count_ = 0;
};

class CallMetricsFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  CallMetricsFactory(Metrics& metrics, RunningCalls& running) : metrics_(metrics), running_(running) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override;

 private:
  Metrics& metrics_;
  RunningCalls& running_;
};

}  // namespace quantd
