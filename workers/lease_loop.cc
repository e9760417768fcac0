#include "workers/lease_loop.h"

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "absl/time/clock.h"
#include "base/pause.h"
#include "base/printable.h"
#include "base/status.h"
#include "workers/engine/artifact_store.h"
#include "workers/task_figures.h"
#include "workers/task_runner.h"

namespace quantd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int64_t kLeaseWaitSeconds = 10;
constexpr milliseconds kBackoff(500);
// Of a worker whose credentials quantd does not take; they may be replaced.
constexpr milliseconds kRefusedBackoff(5000);
// Messages quote names from model files; they end up in gRPC trailers, which have a limit.
constexpr size_t kLongestMessage = 2000;
// Cancel acts within 2 s, so heartbeats are more frequent than the lease needs.
constexpr milliseconds kHeartbeat(500);
// Between looks at whether the worker is to stop: a signal's handler can set a flag, and wake nobody.
constexpr milliseconds kLook(50);

void Prepare(grpc::ClientContext& context, CallerCredentials& credentials, seconds timeout) {
  credentials.AddTo(context);
  context.set_deadline(std::chrono::system_clock::now() + timeout);
}

// Keeps the lease of one assignment from a thread of its own.
class Heartbeats {
 public:
  Heartbeats(v1::WorkerService::Stub& stub, CallerCredentials& credentials, const v1::Assignment& assignment,
             TaskFigures& figures, const std::atomic<bool>& stopping)
      : stub_(stub),
        credentials_(credentials),
        assignment_(assignment),
        figures_(figures),
        stopping_(stopping),
        thread_([this] { Run(); }) {}

  ~Heartbeats() {
    {
      std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  // False: stop working.
  bool Progress(const v1::JobProgress& progress) {
    std::lock_guard lock(mutex_);
    progress_ = progress;
    return !cancelled_ && !lost_ && !stopping_;
  }
  bool lost() const {
    std::lock_guard lock(mutex_);
    return lost_;
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kHeartbeat, [&] { return done_; })) {
      v1::HeartbeatRequest request;
      request.set_task_id(assignment_.task_id());
      request.set_fencing_token(assignment_.fencing_token());
      if (!progress_.stage().empty()) *request.mutable_progress() = progress_;
      *request.mutable_figures() = figures_.Take();
      lock.unlock();
      grpc::ClientContext context;
      Prepare(context, credentials_, seconds(5));
      v1::HeartbeatResponse response;
      const grpc::Status status = stub_.Heartbeat(&context, request, &response);
      if (!status.ok()) figures_.GiveBack(request.figures());
      lock.lock();
      // A server that is away may come back before the lease ends; only its word that the lease is lost
      // counts.
      if (status.error_code() == grpc::StatusCode::FAILED_PRECONDITION) lost_ = true;
      if (status.ok() && response.cancel()) cancelled_ = true;
    }
  }

  v1::WorkerService::Stub& stub_;
  CallerCredentials& credentials_;
  const v1::Assignment& assignment_;
  TaskFigures& figures_;
  const std::atomic<bool>& stopping_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  v1::JobProgress progress_;
  bool done_ = false;
  bool cancelled_ = false;
  bool lost_ = false;
  std::thread thread_;
};

bool IsRefused(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAUTHENTICATED ||
         status.error_code() == grpc::StatusCode::PERMISSION_DENIED;
}

void Pause(milliseconds duration, const std::atomic<bool>& stopping) {
  for (milliseconds waited(0); waited < duration && !stopping; waited += kLook)
    std::this_thread::sleep_for(kLook);
}

std::string Describe(const v1::Assignment& assignment) {
  return assignment.job().empty() ? assignment.model() : assignment.job();
}

}  // namespace

LeaseLoop::LeaseLoop(const std::shared_ptr<grpc::Channel>& channel, ObjectStore& store,
                     LeaseLoopOptions options)
    : stub_(v1::WorkerService::NewStub(channel)), store_(store), options_(std::move(options)) {}

grpc::Status LeaseLoop::Lease(absl::Time deadline, const std::atomic<bool>& stopping,
                              v1::LeaseResponse& response) {
  const int64_t left = absl::ToInt64Seconds(absl::Ceil(deadline - absl::Now(), absl::Seconds(1)));
  const int64_t wait = std::clamp<int64_t>(left, 0, kLeaseWaitSeconds);
  v1::LeaseRequest request;
  request.set_worker_id(options_.worker_id);
  for (v1::TaskKind kind : options_.kinds) request.add_kinds(kind);
  request.mutable_wait()->set_seconds(wait);
  *request.mutable_engine() = DescribeEngine(*options_.devices);  // a GPU may have been lost
  grpc::ClientContext context;
  Prepare(context, *options_.credentials, seconds(wait + 5));
  // The call is given up when the worker stops. Once it has ended, nobody waits for the next look.
  std::jthread canceller([&](const std::stop_token& ended) {
    while (!ended.stop_requested() && !stopping) Pause(kLook, ended);
    if (stopping) context.TryCancel();
  });
  return stub_->Lease(&context, request, &response);
}

absl::Status LeaseLoop::Run(const std::atomic<bool>& stopping) {
  const absl::Time deadline =
      options_.once.has_value() ? absl::Now() + *options_.once : absl::InfiniteFuture();
  absl::Status reached = absl::UnavailableError("no server answered");
  while (!stopping) {
    v1::LeaseResponse response;
    const grpc::Status status = Lease(deadline, stopping, response);
    TellChange(status);
    if (status.ok()) reached = absl::OkStatus();
    if (!status.ok()) {
      if (!reached.ok()) reached = absl::UnavailableError(status.error_message());
      Pause(IsRefused(status) ? kRefusedBackoff : kBackoff, stopping);
    }
    if (response.has_assignment()) {
      const Ended ended = RunAssignment(response.assignment(), stopping);
      if (options_.once.has_value()) return ended.report;
      if (absl::IsUnavailable(ended.result)) WaitForStore(stopping);
    } else if (absl::Now() >= deadline) {
      return reached;
    }
  }
  return absl::OkStatus();
}

void LeaseLoop::WaitForStore(const std::atomic<bool>& stopping) {
  // Whether there is such an object does not matter.
  while (!stopping && absl::IsUnavailable(store_.Stat("artifacts").status()))
    std::this_thread::sleep_for(kBackoff);
}

void LeaseLoop::TellChange(const grpc::Status& status) {
  if (status.error_code() == last_code_) return;
  last_code_ = status.error_code();
  if (status.ok()) {
    spdlog::info("quantd answers again");
  } else if (IsRefused(status)) {
    spdlog::error("quantd refuses this worker: {}; its token or certificate needs the role worker",
                  status.error_message());
  } else {
    spdlog::warn("no answer from quantd: {}", status.error_message());
  }
}

LeaseLoop::Ended LeaseLoop::RunAssignment(const v1::Assignment& assignment,
                                          const std::atomic<bool>& stopping) {
  const std::string name = Describe(assignment);
  spdlog::info("{} begins, attempt {}", name, assignment.attempt());
  v1::CompleteRequest complete;
  absl::Status result;
  bool lost = false;
  TaskFigures figures;
  {
    Heartbeats heartbeats(*stub_, *options_.credentials, assignment, figures, stopping);
    TaskOptions options;
    options.threads = options_.threads;
    options.devices = options_.devices;
    options.on_progress = [&](const v1::JobProgress& progress) {
      figures.EnterStage(progress.stage());
      return heartbeats.Progress(progress);
    };
    options.on_read = [&](int64_t bytes) { figures.AddRead(bytes); };
    options.on_encoded = [&](std::string_view device, const quant::Codec& codec, int64_t bytes) {
      figures.AddEncoded(device, codec.name(), bytes);
    };
    result = RunTask(assignment, store_, options, complete);
    lost = heartbeats.lost();
  }
  figures.EnterStage("");
  *complete.mutable_figures() = figures.Take();
  if (absl::IsCancelled(result) && stopping) result = absl::AbortedError("its worker is stopping");
  Reported reported;
  if (!lost) reported = Report(assignment, result, complete);
  lost = lost || reported.status.error_code() == grpc::StatusCode::FAILED_PRECONDITION;
  // Nobody knows of what this attempt wrote. When the server may have taken it, it is the server that cleans
  // up.
  if ((lost || !reported.status.ok()) && !reported.doubtful && !assignment.artifact_prefix().empty()) {
    if (absl::Status status = RemoveObjects(store_, assignment.artifact_prefix()); !status.ok()) {
      spdlog::warn("{} leaves objects: {}", name, std::string(status.message()));
    }
  }
  spdlog::info("{} ends: {}", name,
               lost          ? "lease lost"
               : result.ok() ? "done"
                             : std::string(result.message()));
  const bool taken = lost || reported.status.ok();
  return {result, taken ? absl::OkStatus()
                        : absl::UnavailableError("the result could not be reported: " +
                                                 reported.status.error_message())};
}

LeaseLoop::Reported LeaseLoop::Report(const v1::Assignment& assignment, const absl::Status& result,
                                      v1::CompleteRequest& complete) {
  complete.set_task_id(assignment.task_id());
  complete.set_fencing_token(assignment.fencing_token());
  v1::FailRequest fail;
  fail.set_task_id(assignment.task_id());
  fail.set_fencing_token(assignment.fencing_token());
  fail.set_code(static_cast<int>(result.code()));
  fail.set_message(PrintableLine({result.message().data(), result.message().size()}, kLongestMessage));
  fail.set_field(FieldOf(result).value_or(""));
  *fail.mutable_figures() = complete.figures();
  // Long enough for a server to be restarted; the lease decides whether the result still counts.
  constexpr int kTries = 60;
  Reported reported;
  for (int i = 0; i < kTries; ++i) {
    grpc::ClientContext context;
    Prepare(context, *options_.credentials, seconds(10));
    google::protobuf::Empty response;
    reported.status =
        result.ok() ? stub_->Complete(&context, complete, &response) : stub_->Fail(&context, fail, &response);
    const grpc::StatusCode code = reported.status.error_code();
    if (code != grpc::StatusCode::UNAVAILABLE && code != grpc::StatusCode::DEADLINE_EXCEEDED) break;
    // The answer may have been lost after the server had acted.
    reported.doubtful = result.ok();
    std::this_thread::sleep_for(kBackoff);
  }
  return reported;
}

}  // namespace quantd
