#include <atomic>
#include <cstdio>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/random_id.h"
#include "base/status.h"
#include "client/commands/commands.h"
#include "client/errors.h"
#include "client/fetcher.h"
#include "client/interrupts.h"
#include "client/text.h"
#include "client/uploader.h"

namespace quantd {
namespace {

struct QuantizeFlags {
  std::string source;
  TargetFlags targets;
  std::string output = ".";
  bool detach = false;
  std::vector<std::string> labels;
  std::string request_id;
  int priority = 0;
  bool no_cache = false;
};

absl::StatusOr<v1::CreateJobRequest> MakeRequest(const QuantizeFlags& own) {
  v1::CreateJobRequest request;
  ASSIGN_OR_RETURN(std::vector<v1::Target> targets, own.targets.Parse());
  request.mutable_targets()->Assign(targets.begin(), targets.end());
  // Without an id of the caller's a repeated call after a lost answer would queue the job twice.
  request.set_request_id(own.request_id.empty() ? RandomUuid() : own.request_id);
  request.set_priority(own.priority);
  request.set_no_cache(own.no_cache);
  ASSIGN_OR_RETURN(auto labels, ParseLabels(own.labels));
  request.mutable_labels()->insert(labels.begin(), labels.end());
  return request;
}

absl::StatusOr<std::string> FindOrUpload(Connection& connection, const std::string& source) {
  if (std::error_code error; absl::StartsWith(source, "models/") && !std::filesystem::exists(source, error))
    return source;
  ASSIGN_OR_RETURN(v1::Model model, UploadCheckpoint(connection, source, ""));
  return model.name();
}

void Cancel(Connection& connection, const std::string& job) {
  v1::CancelJobRequest request;
  request.set_name(job);
  v1::Job response;
  const absl::Status status = connection.Call(
      [&](grpc::ClientContext& context) { return connection.jobs->CancelJob(&context, request, &response); });
  if (!status.ok()) Fail(Annotate(status, "could not cancel " + job));
}

absl::StatusOr<v1::Job> Queue(Connection& connection, const v1::CreateJobRequest& request) {
  v1::CreateJobResponse response;
  RETURN_IF_ERROR(connection.Call([&](grpc::ClientContext& context) {
    return connection.jobs->CreateJob(&context, request, &response);
  }));
  return response.job();
}

absl::StatusOr<int> Run(Connection& connection, Interrupts& interrupts, const GlobalFlags& flags,
                        const QuantizeFlags& own, v1::CreateJobRequest request) {
  ASSIGN_OR_RETURN(*request.mutable_model(), FindOrUpload(connection, own.source));
  if (own.detach) {
    ASSIGN_OR_RETURN(const v1::Job queued, Queue(connection, request));
    std::printf("%s\n", flags.json() ? ToJson(queued).c_str() : queued.name().c_str());
    return kDone;
  }
  // An interrupt while the answer is on its way must not leave a job that nobody waits for.
  std::atomic<bool> interrupted = false;
  interrupts.Set([&] { interrupted = true; });
  absl::StatusOr<v1::Job> queued = Queue(connection, request);
  if (!queued.ok()) {
    interrupts.Set(nullptr);
    return queued.status();
  }
  const std::string name = queued->name();
  interrupts.Set([&connection, name] { Cancel(connection, name); });
  if (interrupted) Cancel(connection, name);
  absl::StatusOr<v1::Job> job = WatchToEnd(connection, name, false);
  interrupts.Set(nullptr);
  if (!job.ok()) return Annotate(job.status(), name);
  if (job->state() == v1::Job::SUCCEEDED) {
    ASSIGN_OR_RETURN(const std::vector<v1::TargetResult> results, SelectResults(*job, {}));
    RETURN_IF_ERROR(FetchResults(connection, results, own.output));
    if (!flags.json()) PrintResults(*job);
  }
  if (flags.json()) PrintJson(*job);
  return ReportEnd(*job);
}

}  // namespace

void AddQuantize(CLI::App& app, GlobalFlags& flags, Action& action) {
  auto own = std::make_shared<QuantizeFlags>();
  CLI::App* command = app.add_subcommand("quantize", "Upload if a path, queue, watch, fetch");
  command->add_option("source", own->source, "models/ID, a folder or a .gguf file")->required();
  own->targets.AddTo(*command);
  command->add_option("--output", own->output, "Folder that gets one folder for each target")
      ->capture_default_str();
  command->add_flag("--detach", own->detach, "Print the job's name and end");
  command->add_option("--label", own->labels, "KEY=VALUE, repeated")->allow_extra_args(false);
  command->add_option("--priority", own->priority, "Among the tenant's jobs, the larger one begins first")
      ->check(CLI::Range(-10, 10))
      ->capture_default_str();
  command->add_flag("--no-cache", own->no_cache, "Run the job even if an earlier one did the same");
  command->add_option("--request-id", own->request_id, "The same id again gives the same job");
  command->callback([&, own] {
    action = [&, own] {
      absl::StatusOr<v1::CreateJobRequest> request = MakeRequest(*own);
      if (!request.ok()) return FailUsage(request.status());
      // Before the connection makes threads.
      Interrupts interrupts;
      return WithConnection(
          flags, [&](Connection& connection) { return Run(connection, interrupts, flags, *own, *request); });
    };
  });
}

}  // namespace quantd
