#include "server/rpc/watch_reactor.h"

#include <deque>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/rpc/convert.h"
#include "server/rpc/resource_names.h"

namespace quantd {
namespace {

// Writes events one by one as the stream takes them; between writes it sleeps until the hub wakes it. No
// thread belongs to it.
class WatchReactor final : public grpc::ServerWriteReactor<v1::JobEvent>, public Watcher {
 public:
  WatchReactor(Catalogue& catalogue, WatchHub& hub, CallScope scope)
      : catalogue_(catalogue), hub_(hub), scope_(std::move(scope)) {}

  void Start(const v1::WatchJobRequest& request) {
    absl::Status status = [&]() -> absl::Status {
      RETURN_IF_ERROR(scope_.caller().status());
      tenant_ = scope_.caller()->tenant;
      ASSIGN_OR_RETURN(job_id_, ParseName("jobs", request.name()));
      ASSIGN_OR_RETURN(JobRecord job, catalogue_.GetJob(tenant_, job_id_));
      if (request.after_revision() < 0 || request.after_revision() > job.revision) {
        return absl::OutOfRangeError(
            absl::StrCat("after_revision: jobs/", job_id_, " has had ", job.revision, " events"));
      }
      last_ = request.after_revision();
      return absl::OkStatus();
    }();
    if (!status.ok()) {
      std::lock_guard lock(mutex_);
      return FinishOnce(status);
    }
    hub_.Add(job_id_, this);
    Wake();
  }

  void Wake() override {
    std::lock_guard lock(mutex_);
    if (!writing_) WriteNext();
  }

  void Stop() override {
    std::lock_guard lock(mutex_);
    FinishOnce(RetryAfter(absl::StatusCode::kUnavailable, "the server is stopping", absl::Seconds(1)));
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok) return FinishOnce(absl::CancelledError("the watcher is gone"));
    WriteNext();
  }

  void OnCancel() override {
    std::lock_guard lock(mutex_);
    FinishOnce(absl::CancelledError("the watcher is gone"));
  }

  void OnDone() override {
    if (!job_id_.empty()) hub_.Remove(job_id_, this);
    // Whoever called Finish may still be leaving the lock.
    { std::lock_guard lock(mutex_); }
    delete this;
  }

 private:
  void WriteNext() {
    if (finished_) return;
    if (events_.empty()) {
      constexpr int kBatch = 100;
      absl::StatusOr<std::vector<EventRecord>> more = catalogue_.ListEvents(tenant_, job_id_, last_, kBatch);
      if (!more.ok()) return FinishOnce(more.status());
      events_.assign(more->begin(), more->end());
    }
    if (events_.empty()) {
      // Nothing comes after the event that ended the job.
      absl::StatusOr<JobRecord> job = catalogue_.GetJob(tenant_, job_id_);
      if (!job.ok()) return FinishOnce(job.status());
      if (IsEnded(job->state) && job->revision == last_) FinishOnce(absl::OkStatus());
      return;
    }
    event_ = ToProto(events_.front());
    last_ = events_.front().revision;
    events_.pop_front();
    writing_ = true;
    StartWrite(&event_);
  }

  void FinishOnce(const absl::Status& status) {
    if (std::exchange(finished_, true)) return;
    Finish(scope_.End(status));
  }

  Catalogue& catalogue_;
  WatchHub& hub_;
  CallScope scope_;
  std::mutex mutex_;
  std::string tenant_;
  std::string job_id_;
  int64_t last_ = 0;
  std::deque<EventRecord> events_;
  v1::JobEvent event_;
  bool writing_ = false;
  bool finished_ = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::JobEvent>* StartWatch(Catalogue& catalogue, WatchHub& hub, CallScope scope,
                                                   const v1::WatchJobRequest& request) {
  auto* reactor = new WatchReactor(catalogue, hub, std::move(scope));
  reactor->Start(request);
  return reactor;
}

}  // namespace quantd
