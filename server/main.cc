// quantd: serves the API, keeps the catalogue, supervises local workers.
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>

#include "absl/strings/match.h"
#include "base/log.h"
#include "base/status.h"
#include "server/admin_token.h"
#include "server/auth/access.h"
#include "server/auth/reloaded.h"
#include "server/auth/tls_files.h"
#include "server/blob_upkeep.h"
#include "server/collector.h"
#include "server/flags.h"
#include "server/metrics/http_endpoint.h"
#include "server/metrics/job_outcomes.h"
#include "server/metrics/refresh.h"
#include "server/queue/dispatcher.h"
#include "server/queue/watch_hub.h"
#include "server/rpc/admin_service.h"
#include "server/rpc/byte_stream_service.h"
#include "server/rpc/grpc_server.h"
#include "server/rpc/job_service.h"
#include "server/rpc/model_service.h"
#include "server/rpc/worker_service.h"
#include "server/server_context.h"
#include "server/supervisor.h"
#include "storage/objects/open_store.h"

namespace quantd {
namespace {

constexpr int kDiskThreads = 4;

// Those who have begun to read an object from S3 could not go on when it is removed; a file stays readable.
constexpr absl::Duration kRemovalGraceOfS3 = absl::Hours(1);

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "quantd: %s\n", std::string(status.message()).c_str());
  return 1;
}

class Server {
 public:
  explicit Server(Flags flags) : flags_(std::move(flags)) {}
  // What the listener calls ends before the catalogue.
  ~Server() {
    if (catalogue_ != nullptr) catalogue_->StopListening();
  }

  absl::Status Start() {
    RETURN_IF_ERROR(CheckExposure(flags_));
    RETURN_IF_ERROR(ReadIdentityFiles());
    RETURN_IF_ERROR(SettleStorage(flags_));
    ASSIGN_OR_RETURN(const TenantLimits limits, ParseTenantLimits(flags_.tenant_limits));
    tenants_ = std::make_unique<Tenants>(*access_, limits);
    ASSIGN_OR_RETURN(const Retention retention, RetentionOf(flags_));
    const absl::Duration grace =
        absl::StartsWith(flags_.objects, "s3:") ? kRemovalGraceOfS3 : absl::ZeroDuration();
    CatalogueOptions options;
    options.limits_of = [this](const std::string& tenant) { return tenants_->LimitsOf(tenant); };
    ASSIGN_OR_RETURN(objects_, OpenObjectStore(flags_.objects));
    ASSIGN_OR_RETURN(catalogue_, Catalogue::Open(flags_.catalogue, clock_, options));
    context_ = std::make_unique<ServerContext>(ServerContext{
        *catalogue_, *objects_, engines_, metrics_, *access_, *tenants_, disk_, options, retention, grace});
    dispatcher_ = std::make_unique<Dispatcher>(*context_);
    // The dispatcher's own thread still calls while it is destroyed.
    Dispatcher& dispatcher = *dispatcher_;
    catalogue_->SetListener(
        {.on_job_event = [this](const JobNews& news) { CountOutcome(*context_, news); },
         .on_job_changed = [this](const std::string& job) { hub_.Notify(job); },
         .on_task_queued = [&dispatcher] { dispatcher.Wake(); },
         .on_plan_finished = [&dispatcher](const std::string& /*task*/) { dispatcher.Wake(); },
         .on_missed =
             [this, &dispatcher] {
               hub_.NotifyAll();
               dispatcher.Wake();
             }});
    RETURN_IF_ERROR(catalogue_->DropAllPlans());
    RETURN_IF_ERROR(SettleBlobs(*context_));
    dispatcher_->Start();
    RETURN_IF_ERROR(StartGrpc());
    ASSIGN_OR_RETURN(http_, HttpEndpoint::Start(
                                flags_.metrics_listen,
                                [this] {
                                  RefreshMetrics(*context_, *dispatcher_);
                                  return metrics_.Render();
                                },
                                [this] { return !draining_ && engines_.Get().has_value(); }));
    supervisor_ = std::make_unique<Supervisor>(SupervisorOptions{
        flags_.workers, flags_.worker_threads, flags_.worker_device, grpc_->worker_address(), flags_.objects,
        flags_.log_format, worker_token_, [this](const std::string& worker_id, const std::string& how) {
          engines_.Forget(worker_id);
          dispatcher_->WorkerEnded(worker_id, how);
        }});
    const std::string health = grpc_->health_address();
    std::printf("ready grpc=%s metrics=%s%s%s\n", grpc_->address().c_str(), http_->address().c_str(),
                health.empty() ? "" : " health=", health.c_str());
    std::fflush(stdout);
    return absl::OkStatus();
  }

  // Reads the files that say who is who again, when they have changed.
  void Refresh() {
    access_->Refresh();
    if (tls_ != nullptr) tls_->Refresh();
  }

  // Stops taking work, lets calls end, stops the workers.
  void Drain() {
    spdlog::info("draining");
    draining_ = true;
    grpc_->SetNotServing();
    dispatcher_->Drain();
    hub_.StopAll();
    supervisor_.reset();
    grpc_->ShutDown();
    http_.reset();
    catalogue_->StopListening();
    dispatcher_.reset();
    spdlog::info("drained");
  }

 private:
  // Access file, key sets and certificates.
  absl::Status ReadIdentityFiles() {
    const AccessOptions options{flags_.must_authenticate(), flags_.access};
    ASSIGN_OR_RETURN(
        access_, Access::Open(
                     options, [this](const std::string& id) { return catalogue_->GetToken(id); }, clock_));
    if (access_->requires_authentication()) worker_token_ = access_->MakeLocalWorkerToken();
    if (!flags_.uses_tls()) return absl::OkStatus();
    const TlsPaths paths{flags_.tls_cert, flags_.tls_key, flags_.tls_client_ca};
    ASSIGN_OR_RETURN(
        tls_, Reloaded<TlsTexts>::Open("certificates", [paths] { return ReadTlsFiles(paths, absl::Now()); }));
    return absl::OkStatus();
  }

  absl::Status StartGrpc() {
    uploads_ = std::make_unique<UploadSessions>(*context_);
    collector_ = std::make_unique<Collector>(*context_, *uploads_);
    admin_ = std::make_unique<AdminServiceImpl>(*context_, *collector_);
    models_ = std::make_unique<ModelServiceImpl>(*context_, *uploads_);
    capabilities_ = std::make_unique<CapabilityServiceImpl>(*context_);
    jobs_ = std::make_unique<JobServiceImpl>(*context_, *dispatcher_, hub_);
    workers_ = std::make_unique<WorkerServiceImpl>(*context_, *dispatcher_);
    bytes_ = std::make_unique<ByteStreamServiceImpl>(*context_, *uploads_);
    GrpcServerOptions options;
    options.listen = flags_.listen;
    options.tls = tls_.get();
    // The server's certificate need not be one for this machine's own name.
    options.worker_port = flags_.uses_tls() && flags_.workers > 0;
    options.health_listen = flags_.health_listen;
    // Reflection can't tell who asks.
    options.reflection = !access_->requires_authentication();
    const std::vector<grpc::Service*> services = {models_.get(),  capabilities_.get(), jobs_.get(),
                                                  workers_.get(), bytes_.get(),        admin_.get()};
    ASSIGN_OR_RETURN(grpc_, GrpcServer::Start(options, services, metrics_));
    collector_->Start();
    return absl::OkStatus();
  }

  Flags flags_;
  SystemClock clock_;
  Executor disk_{kDiskThreads};
  EngineRegistry engines_;
  Metrics metrics_{kServerVersion};
  WatchHub hub_;
  std::unique_ptr<ObjectStore> objects_;
  std::unique_ptr<Catalogue> catalogue_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<Tenants> tenants_;
  std::string worker_token_;                 // of the local workers; empty: they need none
  std::unique_ptr<Reloaded<TlsTexts>> tls_;  // null: plaintext
  std::unique_ptr<ServerContext> context_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<UploadSessions> uploads_;
  std::unique_ptr<Collector> collector_;
  std::unique_ptr<AdminServiceImpl> admin_;
  std::unique_ptr<ModelServiceImpl> models_;
  std::unique_ptr<CapabilityServiceImpl> capabilities_;
  std::unique_ptr<JobServiceImpl> jobs_;
  std::unique_ptr<WorkerServiceImpl> workers_;
  std::unique_ptr<ByteStreamServiceImpl> bytes_;
  std::unique_ptr<GrpcServer> grpc_;
  std::unique_ptr<HttpEndpoint> http_;
  std::unique_ptr<Supervisor> supervisor_;
  std::atomic<bool> draining_ = false;
};

// SIGTERM and SIGINT end it, SIGHUP and every second make it look for changed files.
void WaitForEnd(const sigset_t& signals, Server& server) {
  for (;;) {
    const timespec second{1, 0};
    const int signal_number = ::sigtimedwait(&signals, nullptr, &second);
    if (signal_number == SIGTERM || signal_number == SIGINT) return;
    server.Refresh();
  }
}

int Serve(const Flags& flags) {
  // Signals are taken by WaitForEnd, in no other thread.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  Server server(flags);
  if (absl::Status status = server.Start(); !status.ok()) return Fail(status);
  WaitForEnd(signals, server);
  server.Drain();
  return 0;
}

int PrintAdminToken(Flags flags, const std::string& lifetime) {
  if (absl::Status status = SettleStorage(flags); !status.ok()) return Fail(status);
  const absl::StatusOr<std::string> token = CreateAdminToken(flags.catalogue, lifetime);
  if (!token.ok()) return Fail(token.status());
  std::printf("%s\n", token->c_str());
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("quantd: quantizes language models for every runtime");
  Flags flags;
  AddFlags(app, flags);
  bool print_config = false;
  app.add_flag("--print-config", print_config, "Prints the configuration that is in force, and ends")
      ->configurable(false);
  app.fallthrough();
  CLI::App* admin_token =
      app.add_subcommand("admin-token", "Makes a token of role admin in the catalogue, and prints it")
          ->configurable(false);
  std::string lifetime;
  admin_token->add_option("--expires", lifetime, "After how long: 90d, 12h, 30m, 45s; default: never");
  CLI11_PARSE(app, argc, argv);
  if (print_config) {
    std::printf("%s", app.config_to_str(true, false).c_str());
    return 0;
  }
  SetUpLog("quantd", flags.log_format);
  return admin_token->parsed() ? PrintAdminToken(flags, lifetime) : Serve(flags);
}

}  // namespace
}  // namespace quantd

int main(int argc, char** argv) { return quantd::Main(argc, argv); }
