#include "server/rpc/grpc_server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>

#include <chrono>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/auth/tls_credentials.h"
#include "server/server_context.h"

namespace quantd {
namespace {

std::string WithPort(const std::string& listen, int port) {
  return absl::StartsWith(listen, "unix:") ? listen
                                           : absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

void SetLimits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A peer that vanished without a word is noticed within 30 s, so that its upload can be taken over.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // A window of fixed size bounds what a stream can pile up while its bytes are flushed to disk.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, static_cast<int>(2 * kMaxChunkBytes));
}

// gRPC's library adds reflection to every server of a program that links it.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins, [](const auto& plugin) { return plugin->name() == "proto_server_reflection"; });
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcServerOptions& options,
                                                              const std::vector<grpc::Service*>& services,
                                                              Metrics& metrics) {
  grpc::EnableDefaultHealthCheckService(true);
  std::unique_ptr<GrpcServer> server(new GrpcServer());
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  if (!options.health_listen.empty()) RETURN_IF_ERROR(server->StartHealth(options.health_listen));
  RETURN_IF_ERROR(server->StartServices(options, services, metrics));
  return server;
}

absl::Status GrpcServer::StartHealth(const std::string& listen) {
  grpc::ServerBuilder builder;
  builder.SetOption(std::make_unique<WithoutReflection>());
  int port = 0;
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // gRPC adds the health service to a server that has another one.
  builder.RegisterCallbackGenericService(&unimplemented_);
  health_ = builder.BuildAndStart();
  if (health_ == nullptr) return absl::UnavailableError(absl::StrCat("cannot listen on ", listen));
  health_address_ = WithPort(listen, port);
  return absl::OkStatus();
}

absl::Status GrpcServer::StartServices(const GrpcServerOptions& options,
                                       const std::vector<grpc::Service*>& services, Metrics& metrics) {
  credentials_ =
      options.tls == nullptr ? grpc::InsecureServerCredentials() : MakeTlsCredentials(*options.tls);
  grpc::ServerBuilder builder;
  SetLimits(builder);
  if (!options.reflection) builder.SetOption(std::make_unique<WithoutReflection>());
  int port = 0, worker_port = 0;
  builder.AddListeningPort(options.listen, credentials_, &port);
  if (options.worker_port)
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &worker_port);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<CallMetricsFactory>(metrics, running_calls_));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  for (grpc::Service* service : services) builder.RegisterService(service);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return absl::UnavailableError(absl::StrCat("cannot listen on ", options.listen));
  address_ = WithPort(options.listen, port);
  worker_address_ = options.worker_port ? absl::StrCat("127.0.0.1:", worker_port) : address_;
  return absl::OkStatus();
}

void GrpcServer::SetNotServing() {
  server_->GetHealthCheckService()->SetServingStatus(false);
  if (health_ != nullptr) health_->GetHealthCheckService()->SetServingStatus(false);
}

// Connections without calls are closed when the last call has ended: their clients may take seconds to notice
// that the server says goodbye.
void GrpcServer::ShutDown() {
  std::jthread closer([this](const std::stop_token& closed) {
    while (!closed.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (running_calls_.None()) grpc_server_cancel_all_calls(server_->c_server());
    }
  });
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
  closer.request_stop();
  closer.join();
  server_->Wait();
  if (health_ != nullptr) health_->Shutdown(std::chrono::system_clock::now());
}

}  // namespace quantd
