// quantd: serves the API, keeps the catalogue, supervises local workers.
#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <signal.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/status.h"
#include "server/blob_upkeep.h"
#include "server/collector.h"
#include "server/metrics/call_metrics.h"
#include "server/metrics/http_endpoint.h"
#include "server/metrics/job_outcomes.h"
#include "server/metrics/refresh.h"
#include "server/queue/dispatcher.h"
#include "server/queue/watch_hub.h"
#include "server/rpc/admin_service.h"
#include "server/rpc/blob_service.h"
#include "server/rpc/byte_stream_service.h"
#include "server/rpc/job_service.h"
#include "server/rpc/model_service.h"
#include "server/rpc/worker_service.h"
#include "server/server_context.h"
#include "server/supervisor.h"
#include "storage/objects/open_store.h"

namespace quantd {
namespace {

constexpr int kDiskThreads = 4;

struct Flags {
  std::string data_dir;
  std::string listen = "127.0.0.1:7600";
  std::string metrics_listen = "127.0.0.1:7601";
  int workers = 1;
  int worker_threads = 0;
  std::string worker_device = "auto";
  std::string log_format = "text";
  std::string catalogue;
  std::string objects;
  std::string tenant_limits;
  std::string artifact_retention = "0";
  std::string model_retention = "0";
  std::string upload_retention = "7d";
  std::string presigned_reads = "on";
};

// Those who have begun to read an object from S3 could not go on when it is removed; a file stays readable.
constexpr absl::Duration kRemovalGraceOfS3 = absl::Hours(1);

absl::StatusOr<Retention> RetentionOf(const Flags& flags) {
  Retention retention;
  ASSIGN_OR_RETURN(retention.artifacts, ParseDuration(flags.artifact_retention));
  ASSIGN_OR_RETURN(retention.models, ParseDuration(flags.model_retention));
  ASSIGN_OR_RETURN(retention.uploads, ParseDuration(flags.upload_retention));
  return retention;
}

std::string DefaultDataDir() {
  if (const char* xdg = std::getenv("XDG_DATA_HOME"); xdg != nullptr && *xdg != '\0')
    return absl::StrCat(xdg, "/quantd");
  const char* home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "." : home, "/.local/share/quantd");
}

void AddFlags(CLI::App& app, Flags& flags) {
  flags.data_dir = DefaultDataDir();
  app.add_option("--data-dir", flags.data_dir, "Folder of catalogue and objects")
      ->envname("QUANTD_DATA_DIR")
      ->capture_default_str();
  app.add_option("--listen", flags.listen, "gRPC address, HOST:PORT or unix:PATH; port 0 picks a free one")
      ->envname("QUANTD_LISTEN")
      ->capture_default_str();
  app.add_option("--metrics-listen", flags.metrics_listen, "HTTP address of /metrics, /healthz and /readyz")
      ->envname("QUANTD_METRICS_LISTEN")
      ->capture_default_str();
  app.add_option("--workers", flags.workers, "Local worker processes")
      ->envname("QUANTD_WORKERS")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  app.add_option("--worker-threads", flags.worker_threads, "Threads of each worker; 0 means all cores")
      ->envname("QUANTD_WORKER_THREADS")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--worker-device", flags.worker_device, "Where workers encode: auto, cpu or cuda")
      ->envname("QUANTD_WORKER_DEVICE")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--log-format", flags.log_format, "text or json")
      ->envname("QUANTD_LOG_FORMAT")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--catalogue", flags.catalogue, "sqlite:PATH or postgresql://…; default: in the data folder")
      ->envname("QUANTD_CATALOGUE");
  app.add_option("--objects", flags.objects, "file:DIR or s3://BUCKET/PREFIX; default: the data folder")
      ->envname("QUANTD_OBJECTS");
  app.add_option(
         "--tenant-limits", flags.tenant_limits,
         "What each tenant may have, as stored_bytes=1e12,queued_jobs=100,running_jobs=4,upload_streams=8")
      ->envname("QUANTD_TENANT_LIMITS");
  app.add_option("--artifact-retention", flags.artifact_retention,
                 "How long ended jobs and their artifacts stay since their last use, as 90d; 0: for ever")
      ->envname("QUANTD_ARTIFACT_RETENTION")
      ->capture_default_str();
  app.add_option("--model-retention", flags.model_retention,
                 "How long models stay since their last use; 0: for ever")
      ->envname("QUANTD_MODEL_RETENTION")
      ->capture_default_str();
  app.add_option("--upload-retention", flags.upload_retention,
                 "How long models whose bytes are not all there stay since the last came; 0: for ever")
      ->envname("QUANTD_UPLOAD_RETENTION")
      ->capture_default_str();
  app.add_option("--presigned-reads", flags.presigned_reads,
                 "on: clients get URLs to read from S3 themselves; off: all bytes go through quantd")
      ->envname("QUANTD_PRESIGNED_READS")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  app.set_config("--config", "", "Configuration file with these flags as keys")->envname("QUANTD_CONFIG");
}

class Server {
 public:
  explicit Server(Flags flags) : flags_(std::move(flags)) {}
  // What the listener calls ends before the catalogue.
  ~Server() {
    if (catalogue_ != nullptr) catalogue_->StopListening();
  }

  absl::Status Start() {
    std::error_code error;
    std::filesystem::create_directories(flags_.data_dir, error);
    if (error)
      return absl::PermissionDeniedError(
          absl::StrCat("cannot make ", flags_.data_dir, ": ", error.message()));
    if (flags_.objects.empty())
      flags_.objects = absl::StrCat("file:", std::filesystem::absolute(flags_.data_dir).string());
    if (flags_.catalogue.empty())
      flags_.catalogue = absl::StrCat("sqlite:", flags_.data_dir, "/catalogue.db");
    ASSIGN_OR_RETURN(const TenantLimits limits, ParseTenantLimits(flags_.tenant_limits));
    tenants_ = std::make_unique<Tenants>(limits);
    ASSIGN_OR_RETURN(const Retention retention, RetentionOf(flags_));
    const absl::Duration grace =
        absl::StartsWith(flags_.objects, "s3:") ? kRemovalGraceOfS3 : absl::ZeroDuration();
    CatalogueOptions options;
    options.limits_of = [this](const std::string& tenant) { return tenants_->LimitsOf(tenant); };
    // Neither has an answer to give for a while when it can't be reached.
    spdlog::info("opens the objects in {} and the catalogue", flags_.objects);
    ASSIGN_OR_RETURN(objects_, OpenObjectStore(flags_.objects));
    ASSIGN_OR_RETURN(catalogue_, Catalogue::Open(flags_.catalogue, clock_, options));
    engines_ = std::make_unique<EngineRegistry>(*catalogue_);
    context_ = std::make_unique<ServerContext>(ServerContext{
        *catalogue_, *objects_, *engines_, metrics_, access_, *tenants_, disk_, options, retention, grace});
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
    RETURN_IF_ERROR(catalogue_->ForgetAllWorkers());
    RETURN_IF_ERROR(SettleBlobs(*context_));
    dispatcher_->Start();
    RETURN_IF_ERROR(StartGrpc());
    ASSIGN_OR_RETURN(http_, HttpEndpoint::Start(
                                flags_.metrics_listen,
                                [this] {
                                  RefreshMetrics(*context_, *dispatcher_);
                                  return metrics_.Render();
                                },
                                [this] { return !draining_ && engines_->Get().has_value(); }));
    supervisor_ = std::make_unique<Supervisor>(SupervisorOptions{
        flags_.workers, flags_.worker_threads, flags_.worker_device, address_, flags_.objects,
        flags_.log_format, [this](const std::string& worker_id, const std::string& how) {
          engines_->Forget(worker_id);
          dispatcher_->WorkerEnded(worker_id, how);
        }});
    std::printf("ready grpc=%s metrics=%s\n", address_.c_str(), http_->address().c_str());
    std::fflush(stdout);
    return absl::OkStatus();
  }

  // Stops taking work, lets calls end, stops the workers.
  void Drain() {
    spdlog::info("draining");
    draining_ = true;
    grpc_->GetHealthCheckService()->SetServingStatus(false);
    dispatcher_->Drain();
    hub_.StopAll();
    supervisor_.reset();
    ShutDownGrpc();
    http_.reset();
    catalogue_->StopListening();
    dispatcher_.reset();
    spdlog::info("drained");
  }

 private:
  // New calls are refused, those that run get 5 s. Connections without calls are closed when the last call
  // has ended: their clients may take seconds to notice that the server says goodbye.
  void ShutDownGrpc() {
    std::jthread closer([this](std::stop_token closed) {
      while (!closed.stop_requested()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        if (running_calls_.None()) grpc_server_cancel_all_calls(grpc_->c_server());
      }
    });
    grpc_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
    closer.request_stop();
    closer.join();
    grpc_->Wait();
  }

  absl::Status StartGrpc() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    uploads_ = std::make_unique<UploadSessions>(*context_);
    collector_ = std::make_unique<Collector>(*context_, *uploads_);
    admin_ = std::make_unique<AdminServiceImpl>(*context_, *collector_);
    models_ = std::make_unique<ModelServiceImpl>(*context_, *uploads_);
    capabilities_ = std::make_unique<CapabilityServiceImpl>(*context_);
    jobs_ = std::make_unique<JobServiceImpl>(*context_, *dispatcher_, hub_);
    workers_ = std::make_unique<WorkerServiceImpl>(*context_, *dispatcher_);
    blobs_ = std::make_unique<BlobServiceImpl>(*context_, flags_.presigned_reads == "on");
    bytes_ = std::make_unique<ByteStreamServiceImpl>(*context_, *uploads_);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(flags_.listen, grpc::InsecureServerCredentials(), &port);
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // A peer that vanished without a word is noticed within 30 s, so that its upload can be taken over.
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
    interceptors.push_back(std::make_unique<CallMetricsFactory>(metrics_, running_calls_));
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
    // A window of fixed size bounds what a stream can pile up while its bytes are flushed to disk.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, static_cast<int>(2 * kMaxChunkBytes));
    for (grpc::Service* service : std::initializer_list<grpc::Service*>{
             models_.get(), capabilities_.get(), jobs_.get(), workers_.get(), blobs_.get(), bytes_.get(), admin_.get()}) {
      builder.RegisterService(service);
    }
    grpc_ = builder.BuildAndStart();
    collector_->Start();
    if (grpc_ == nullptr) return absl::UnavailableError(absl::StrCat("cannot listen on ", flags_.listen));
    address_ = absl::StartsWith(flags_.listen, "unix:")
                   ? flags_.listen
                   : absl::StrCat(flags_.listen.substr(0, flags_.listen.rfind(':')), ":", port);
    return absl::OkStatus();
  }

  Flags flags_;
  SystemClock clock_;
  Executor disk_{kDiskThreads};
  Metrics metrics_{kServerVersion};
  Access access_;
  std::unique_ptr<Tenants> tenants_;
  RunningCalls running_calls_;
  WatchHub hub_;
  std::unique_ptr<ObjectStore> objects_;
  std::unique_ptr<Catalogue> catalogue_;
  std::unique_ptr<EngineRegistry> engines_;
  std::unique_ptr<ServerContext> context_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<UploadSessions> uploads_;
  std::unique_ptr<Collector> collector_;
  std::unique_ptr<AdminServiceImpl> admin_;
  std::unique_ptr<ModelServiceImpl> models_;
  std::unique_ptr<CapabilityServiceImpl> capabilities_;
  std::unique_ptr<JobServiceImpl> jobs_;
  std::unique_ptr<WorkerServiceImpl> workers_;
  std::unique_ptr<BlobServiceImpl> blobs_;
  std::unique_ptr<ByteStreamServiceImpl> bytes_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<HttpEndpoint> http_;
  std::unique_ptr<Supervisor> supervisor_;
  std::string address_;
  std::atomic<bool> draining_ = false;
};

int Main(int argc, char** argv) {
  CLI::App app("quantd: quantizes language models for every runtime");
  Flags flags;
  AddFlags(app, flags);
  bool print_config = false;
  app.add_flag("--print-config", print_config, "Prints the configuration that is in force, and ends")
      ->configurable(false);
  CLI11_PARSE(app, argc, argv);
  if (print_config) {
    std::printf("%s", app.config_to_str(true, false).c_str());
    return 0;
  }
  SetUpLog("quantd", flags.log_format);
  // Signals are taken by sigwait below, in no other thread.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  Server server(flags);
  if (absl::Status status = server.Start(); !status.ok()) {
    std::fprintf(stderr, "quantd: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  server.Drain();
  return 0;
}

}  // namespace
}  // namespace quantd

int main(int argc, char** argv) { return quantd::Main(argc, argv); }
