// The ports that quantd serves gRPC on.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/auth/reloaded.h"
#include "server/auth/tls_files.h"
#include "server/metrics/call_metrics.h"

namespace quantd {

struct GrpcServerOptions {
  std::string listen;                       // HOST:PORT or unix:PATH
  const Reloaded<TlsTexts>* tls = nullptr;  // of that port; null: plaintext. Outlives the server
  bool worker_port = false;   // one more port, plaintext on loopback, for this machine's workers
  std::string health_listen;  // serves grpc.health.v1 alone, in plaintext; empty: no such port
  bool reflection = false;
};

class GrpcServer {
 public:
  // Serves `services`, which outlive it, like `metrics`. UNAVAILABLE: it can't listen there.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const GrpcServerOptions& options,
                                                           const std::vector<grpc::Service*>& services,
                                                           Metrics& metrics);

  // Health checks say from now on that other servers should be asked.
  void SetNotServing();
  // New calls are refused, those that run get 5 s.
  void ShutDown();

  // As listened on, with the port that was chosen for 0.
  const std::string& address() const { return address_; }
  // Where this machine's workers call.
  const std::string& worker_address() const { return worker_address_; }
  // Empty without such a port.
  const std::string& health_address() const { return health_address_; }

 private:
  GrpcServer() = default;
  absl::Status StartHealth(const std::string& listen);
  absl::Status StartServices(const GrpcServerOptions& options, const std::vector<grpc::Service*>& services,
                             Metrics& metrics);

  RunningCalls running_calls_;
  std::shared_ptr<grpc::ServerCredentials>
      credentials_;                             // gRPC asks it for certificates as long as it serves
  grpc::CallbackGenericService unimplemented_;  // answers every call with UNIMPLEMENTED
  std::unique_ptr<grpc::Server> health_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::string worker_address_;
  std::string health_address_;
};

}  // namespace quantd
