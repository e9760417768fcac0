// quantd-worker: leases tasks from quantd and runs them.
#include <grpcpp/grpcpp.h>
#include <malloc.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "base/random_id.h"
#include "base/status.h"
#include "credentials/caller_credentials.h"
#include "credentials/channel_keeper.h"
#include "storage/objects/open_store.h"
#include "workers/engine/device_policy.h"
#include "workers/lease_loop.h"
#include "workers/quant/cpu_target.h"

namespace quantd {
namespace {

struct Flags {
  std::string server = "127.0.0.1:7600";
  std::string objects;
  CallerFiles credentials;
  std::string worker_id;
  int threads = 0;
  int parent = 0;
  bool once = false;
  std::string once_wait = "60s";
  std::string log_format = "text";
  std::string device = "auto";
  quant::CudaOptions cuda;
};

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "quantd-worker: %s\n", std::string(status.message()).c_str());
  return 1;
}

absl::StatusOr<std::unique_ptr<DevicePolicy>> OpenDevices(Flags flags) {
  ASSIGN_OR_RETURN(DeviceChoice choice, ParseDeviceChoice(flags.device));
  flags.cuda.index %= std::max(1, quant::CudaDeviceCount());
  ASSIGN_OR_RETURN(std::unique_ptr<DevicePolicy> devices, DevicePolicy::Open(choice, flags.cuda));
  devices->on_fallback = [](const std::string& reason) { spdlog::warn("{}", reason); };
  return devices;
}

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& server,
                                           const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments = ReconnectSoon();
  // An address may stand for several servers: calls go to all of them in turn, but not to one that is away.
  arguments.SetLoadBalancingPolicyName("round_robin");
  return grpc::CreateCustomChannel(server, credentials, arguments);
}

int Main(int argc, char** argv) {
  CLI::App app("quantd-worker: runs quantd's tasks");
  Flags flags;
  app.add_option("--server", flags.server,
                 "Address of quantd, or of several: ipv4:A:PORT,B:PORT or dns:///NAME:PORT")
      ->envname("QUANTD_SERVER")
      ->capture_default_str();
  app.add_option("--objects", flags.objects, "Object store, file:DIR or s3://BUCKET/PREFIX")
      ->envname("QUANTD_OBJECTS")
      ->required();
  app.add_option("--ca", flags.credentials.ca,
                 "PEM file of the authority that signed quantd's certificate; without it no TLS")
      ->envname("QUANTD_CA");
  app.add_option("--cert", flags.credentials.certificate, "PEM file of the worker's certificate")
      ->envname("QUANTD_CERT");
  app.add_option("--key", flags.credentials.key, "PEM file of the worker's key")->envname("QUANTD_KEY");
  app.add_option("--token-file", flags.credentials.token_file, "File with a bearer token, its owner's alone")
      ->envname("QUANTD_TOKEN_FILE");
  app.add_option("--worker-id", flags.worker_id, "Name of this worker; default: made from host and process");
  app.add_option("--threads", flags.threads, "Encoder threads; 0 means all cores")
      ->envname("QUANTD_WORKER_THREADS");
  app.add_option("--parent", flags.parent, "Ends when this process, its parent, does");
  app.add_flag("--once", flags.once, "Ends with 0 after one job, whatever came of it");
  app.add_option("--once-wait", flags.once_wait,
                 "With --once: ends with 0, too, when no job came for so long")
      ->envname("QUANTD_ONCE_WAIT")
      ->capture_default_str();
  app.add_option("--log-format", flags.log_format, "text or json")->check(CLI::IsMember({"text", "json"}));
  app.add_option(
         "--device", flags.device,
         "auto: a GPU where there is one, and the CPU for what it cannot do; cpu; cuda: a GPU or an error")
      ->envname("QUANTD_DEVICE")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--cuda-index", flags.cuda.index,
                 "Which GPU, counted around: N GPUs serve any number of workers")
      ->envname("QUANTD_CUDA_INDEX")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--cuda-memory-limit", flags.cuda.memory_limit,
                 "Most bytes of GPU memory to take; 0 means no limit")
      ->envname("QUANTD_CUDA_MEMORY_LIMIT")
      ->transform(CLI::AsSizeValue(false));
  CLI11_PARSE(app, argc, argv);
  absl::Duration once_wait;
  if (!absl::ParseDuration(flags.once_wait, &once_wait) || once_wait <= absl::ZeroDuration())
    return Fail(absl::InvalidArgumentError(
        absl::StrCat("--once-wait \"", flags.once_wait, "\" is not a time such as 90s or 5m")));
  SetUpLog("quantd-worker", flags.log_format);

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  if (flags.parent != 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != flags.parent) return 0;  // it ended before the call above
  }
  // Tiles come and go between threads: few arenas keep what is free together.
  mallopt(M_ARENA_MAX, 2);

  if (absl::Status status = quant::SetCpuTargetFromEnvironment(); !status.ok()) return Fail(status);
  absl::StatusOr<std::unique_ptr<DevicePolicy>> devices = OpenDevices(flags);
  if (!devices.ok()) return Fail(devices.status());
  spdlog::info("encodes on {}", (*devices)->name());

  absl::StatusOr<std::unique_ptr<ObjectStore>> store = OpenObjectStore(flags.objects, StorePatience::kMinute);
  if (!store.ok()) return Fail(store.status());
  const int threads =
      flags.threads > 0 ? flags.threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  if (flags.worker_id.empty()) {
    char host[256] = "";
    gethostname(host, sizeof(host) - 1);
    flags.worker_id = absl::StrCat(host, "-", getpid(), "-", RandomId());
  }
  absl::StatusOr<std::unique_ptr<CallerCredentials>> credentials = CallerCredentials::Open(flags.credentials);
  if (!credentials.ok()) return Fail(credentials.status());
  const std::shared_ptr<grpc::Channel> channel = OpenChannel(flags.server, (*credentials)->channel());
  const ChannelKeeper keeper(channel);
  absl::Status ended;
  std::atomic<bool> stopping = false;
  std::thread waiter([&] {
    int signal_number = 0;
    sigwait(&signals, &signal_number);
    stopping = true;
  });
  {
    // Short tasks have a loop of their own: an inspection never waits for a job.
    std::jthread short_tasks([&] {
      LeaseLoop loop(
          channel, **store,
          {flags.worker_id, {v1::INSPECT, v1::PLAN}, 1, std::nullopt, devices->get(), credentials->get()});
      loop.Run(stopping).IgnoreError();
    });
    LeaseLoop jobs(channel, **store,
                   {flags.worker_id,
                    {v1::QUANTIZE},
                    threads,
                    flags.once ? std::optional(once_wait) : std::nullopt,
                    devices->get(),
                    credentials->get()});
    ended = jobs.Run(stopping);
    stopping = true;
  }
  kill(getpid(), SIGTERM);  // releases the waiter when the loop ended by itself
  waiter.join();
  return ended.ok() ? 0 : Fail(ended);
}

}  // namespace
}  // namespace quantd

int main(int argc, char** argv) { return quantd::Main(argc, argv); }
