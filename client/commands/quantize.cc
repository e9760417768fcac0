#include <signal.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/random_id.h"
#include "base/status.h"
#include "client/commands/commands.h"
#include "client/errors.h"
#include "client/fetcher.h"
#include "client/output.h"
#include "client/uploader.h"

namespace quantd {
namespace {

struct QuantizeFlags {
  std::string source;
  std::vector<std::string> targets;
  std::string output = ".";
  bool detach = false;
  std::vector<std::string> labels;
  std::string request_id;
};

absl::StatusOr<v1::CreateJobRequest> MakeRequest(const QuantizeFlags& own,
                                                 const std::vector<v1::Target>& targets) {
  v1::CreateJobRequest request;
  request.mutable_targets()->Assign(targets.begin(), targets.end());
  // Without an id of the caller's a repeated call after a lost answer would queue the job twice.
  request.set_request_id(own.request_id.empty() ? RandomUuid() : own.request_id);
  for (const std::string& label : own.labels) {
    const size_t equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(absl::StrCat("label \"", label, "\" is not of the form KEY=VALUE"));
    }
    (*request.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  return request;
}

// Ctrl-C cancels the job while it is watched.
class CancelOnInterrupt {
 public:
  CancelOnInterrupt(Connection& connection, const std::string& job) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    thread_ = std::jthread([&connection, job, signals](std::stop_token token) {
      const timespec step{0, 100'000'000};
      while (!token.stop_requested()) {
        if (sigtimedwait(&signals, nullptr, &step) != SIGINT) continue;
        v1::CancelJobRequest request;
        request.set_name(job);
        v1::Job response;
        static_cast<void>(connection.Call([&](grpc::ClientContext& context) {
          return connection.jobs->CancelJob(&context, request, &response);
        }));
        return;
      }
    });
  }

 private:
  std::jthread thread_;
};

absl::StatusOr<int> Run(Connection& connection, const GlobalFlags& flags, const QuantizeFlags& own,
                        v1::CreateJobRequest request) {
  request.set_model(own.source);
  if (std::error_code error;
      !absl::StartsWith(own.source, "models/") || std::filesystem::exists(own.source, error)) {
    ASSIGN_OR_RETURN(v1::Model model, UploadCheckpoint(connection, own.source, ""));
    request.set_model(model.name());
  }
  v1::CreateJobResponse response;
  RETURN_IF_ERROR(connection.Call([&](grpc::ClientContext& context) {
    return connection.jobs->CreateJob(&context, request, &response);
  }));
  const std::string name = response.job().name();
  if (own.detach) {
    std::printf("%s\n", flags.json() ? ToJson(response.job()).c_str() : name.c_str());
    return 0;
  }
  CancelOnInterrupt cancel(connection, name);
  ASSIGN_OR_RETURN(v1::Job job, WatchToEnd(connection, name, false));
  if (job.state() != v1::Job::SUCCEEDED) {
    std::fprintf(stderr, "quantctl: %s: %s\n", name.c_str(),
                 job.state() == v1::Job::CANCELLED ? "cancelled" : job.error().c_str());
    return ExitCodeOfJob(job.error_code());
  }
  const std::vector<v1::TargetResult> results(job.results().begin(), job.results().end());
  RETURN_IF_ERROR(FetchResults(connection, results, own.output));
  if (flags.json()) {
    std::printf("%s\n", ToJson(job).c_str());
  } else {
    PrintResults(job);
  }
  return 0;
}

}  // namespace

void AddQuantize(CLI::App& app, GlobalFlags& flags, Action& action) {
  auto own = std::make_shared<QuantizeFlags>();
  CLI::App* command = app.add_subcommand("quantize", "Upload if a path, queue, watch, fetch");
  command->add_option("source", own->source, "models/ID or a path")->required();
  command->add_option("--to", own->targets, "FORMAT:SCHEME[,option=value…]")->required();
  command->add_option("-o,--output", own->output, "Folder that gets one folder for each target")
      ->capture_default_str();
  command->add_flag("--detach", own->detach, "Print the job's name and end");
  command->add_option("--label", own->labels, "KEY=VALUE");
  command->add_option("--request-id", own->request_id, "Makes the call safe to repeat");
  command->callback([&, own] {
    action = [&, own] {
      absl::StatusOr<std::vector<v1::Target>> targets = ParseTargets(own->targets);
      if (!targets.ok()) return Fail(targets.status()), 2;
      absl::StatusOr<v1::CreateJobRequest> request = MakeRequest(*own, *targets);
      if (!request.ok()) return Fail(request.status()), 2;
      return WithConnection(flags,
                            [&](Connection& connection) { return Run(connection, flags, *own, *request); });
    };
  });
}

}  // namespace quantd
