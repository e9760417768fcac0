#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/commands/commands.h"
#include "client/errors.h"
#include "client/fetcher.h"
#include "client/output.h"
#include "client/target_text.h"

namespace quantd {
namespace {

struct JobFlags {
  std::string name;
  std::string output = ".";
  std::string target;
};

absl::StatusOr<v1::Job> GetJob(Connection& connection, const std::string& name) {
  v1::GetJobRequest request;
  request.set_name(name);
  v1::Job job;
  RETURN_IF_ERROR(connection.Call(
      [&](grpc::ClientContext& context) { return connection.jobs->GetJob(&context, request, &job); }));
  return job;
}

void PrintJob(const v1::Job& job, bool json) {
  if (json) {
    std::printf("%s\n", ToJson(job).c_str());
    return;
  }
  std::printf("%s  %s  %s  attempt %d  %s\n", job.name().c_str(), job.model().c_str(),
              v1::Job::State_Name(job.state()).c_str(), job.attempt(), job.error().c_str());
  if (job.results_size() > 0) PrintResults(job);
}

absl::StatusOr<int> List(Connection& connection, bool json) {
  v1::ListJobsRequest request;
  v1::ListJobsResponse all;
  do {
    v1::ListJobsResponse page;
    RETURN_IF_ERROR(connection.Call(
        [&](grpc::ClientContext& context) { return connection.jobs->ListJobs(&context, request, &page); }));
    all.mutable_jobs()->MergeFrom(page.jobs());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (json) {
    std::printf("%s\n", ToJson(all).c_str());
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"JOB", "MODEL", "STATE", "STAGE", "TARGETS"}};
  for (const v1::Job& job : all.jobs()) {
    std::string targets;
    for (const v1::Target& target : job.targets())
      absl::StrAppend(&targets, targets.empty() ? "" : " ", FormatTarget(target));
    rows.push_back(
        {job.name(), job.model(), v1::Job::State_Name(job.state()), job.progress().stage(), targets});
  }
  PrintTable(rows);
  return 0;
}

absl::StatusOr<int> Watch(Connection& connection, const std::string& name, bool json) {
  ASSIGN_OR_RETURN(v1::Job job, WatchToEnd(connection, name, json));
  if (!json) PrintJob(job, false);
  return job.state() == v1::Job::SUCCEEDED ? 0 : static_cast<int>(ExitCodeOfJob(job.error_code()));
}

absl::StatusOr<int> Cancel(Connection& connection, const std::string& name, bool json) {
  v1::CancelJobRequest request;
  request.set_name(name);
  v1::Job job;
  RETURN_IF_ERROR(connection.Call(
      [&](grpc::ClientContext& context) { return connection.jobs->CancelJob(&context, request, &job); }));
  PrintJob(job, json);
  return 0;
}

absl::StatusOr<int> Delete(Connection& connection, const std::string& name) {
  v1::DeleteJobRequest request;
  request.set_name(name);
  google::protobuf::Empty response;
  RETURN_IF_ERROR(connection.Call([&](grpc::ClientContext& context) {
    return connection.jobs->DeleteJob(&context, request, &response);
  }));
  return 0;
}

absl::StatusOr<int> Fetch(Connection& connection, const JobFlags& own) {
  ASSIGN_OR_RETURN(v1::Job job, GetJob(connection, own.name));
  if (job.state() != v1::Job::SUCCEEDED) {
    return absl::FailedPreconditionError(absl::StrCat(own.name, " is ", v1::Job::State_Name(job.state()),
                                                      ": only SUCCEEDED jobs have artifacts"));
  }
  std::vector<v1::TargetResult> results;
  for (const v1::TargetResult& result : job.results()) {
    if (own.target.empty() || FormatTarget(result.target()) == own.target || result.directory() == own.target)
      results.push_back(result);
  }
  if (results.empty()) return absl::NotFoundError(absl::StrCat(own.name, " has no target ", own.target));
  RETURN_IF_ERROR(FetchResults(connection, results, own.output));
  return 0;
}

}  // namespace

void AddJobs(CLI::App& app, GlobalFlags& flags, Action& action) {
  CLI::App* jobs = app.add_subcommand("jobs", "Quantization jobs")->require_subcommand(1);
  jobs->add_subcommand("list", "All jobs, newest first")->callback([&] {
    action = [&] {
      return WithConnection(flags, [&](Connection& connection) { return List(connection, flags.json()); });
    };
  });
  auto own = std::make_shared<JobFlags>();
  using Body = std::function<absl::StatusOr<int>(Connection&)>;
  const auto add = [&](const char* name, const char* help, Body body) {
    CLI::App* command = jobs->add_subcommand(name, help);
    command->add_option("job", own->name, "jobs/ID")->required();
    command->callback(
        [&action, &flags, body] { action = [&flags, body] { return WithConnection(flags, body); }; });
  };
  add("show", "One job", [&flags, own](Connection& connection) -> absl::StatusOr<int> {
    ASSIGN_OR_RETURN(v1::Job job, GetJob(connection, own->name));
    PrintJob(job, flags.json());
    return 0;
  });
  add("watch", "Follow a job to its end",
      [&flags, own](Connection& connection) { return Watch(connection, own->name, flags.json()); });
  add("cancel", "Ask for the end of a job",
      [&flags, own](Connection& connection) { return Cancel(connection, own->name, flags.json()); });
  add("delete", "Remove an ended job and its artifacts",
      [own](Connection& connection) { return Delete(connection, own->name); });
}

void AddFetch(CLI::App& app, GlobalFlags& flags, Action& action) {
  auto own = std::make_shared<JobFlags>();
  CLI::App* command =
      app.add_subcommand("fetch", "Bring a job's artifacts; goes on where an earlier fetch ended");
  command->add_option("job", own->name, "jobs/ID")->required();
  command->add_option("-o,--output", own->output, "Folder that gets one folder for each target")
      ->capture_default_str();
  command->add_option("--target", own->target, "Only this target");
  command->callback([&, own] {
    action = [&, own] {
      return WithConnection(flags, [&](Connection& connection) { return Fetch(connection, *own); });
    };
  });
}

}  // namespace quantd
