#include "server/metrics/call_metrics.h"

#include <chrono>
#include <string>

namespace quantd {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

const char* CodeName(grpc::StatusCode code) {
  constexpr const char* kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const auto index = static_cast<size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "UNKNOWN";
}

// Lives as long as its call.
class CallMetrics final : public grpc::experimental::Interceptor {
 public:
  CallMetrics(Metrics& metrics, RunningCalls& running, const ServerRpcInfo& info)
      : metrics_(metrics),
        running_(running),
        method_(info.method()),
        counts_(method_.rfind("/grpc.", 0) != 0) {
    if (counts_) running_.Add(1);
    if (info.type() != ServerRpcInfo::Type::UNARY) {
      stream_ = &metrics_.grpc_streams_active.Add({{"method", method_}});
      stream_->Increment();
    }
  }
  ~CallMetrics() override {
    if (stream_ != nullptr) stream_->Decrement();
    if (counts_) running_.Add(-1);
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      const grpc::StatusCode code = methods->GetSendStatus().error_code();
      metrics_.grpc_requests.Add({{"method", method_}, {"code", CodeName(code)}}).Increment();
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin_;
      metrics_.grpc_duration.Add({{"method", method_}}, Metrics::CallSeconds()).Observe(seconds.count());
    }
    methods->Proceed();
  }

 private:
  Metrics& metrics_;
  RunningCalls& running_;
  const std::string method_;
  const bool counts_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  prometheus::Gauge* stream_ = nullptr;
};

}  // namespace

grpc::experimental::Interceptor* CallMetricsFactory::CreateServerInterceptor(ServerRpcInfo* info) {
  return new CallMetrics(metrics_, running_, *info);
}

}  // namespace quantd
