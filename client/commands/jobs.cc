#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "client/commands/commands.h"
#include "client/errors.h"
#include "client/fetcher.h"
#include "client/target_text.h"
#include "client/text.h"

namespace quantd {
namespace {

struct ListFlags {
  std::string state;
  std::string model;
  std::vector<std::string> labels;
  PageFlags page;
};

struct FetchFlags {
  std::string job;
  std::string output = ".";
  std::vector<std::string> targets;
};

absl::StatusOr<v1::Job> GetJob(Connection& connection, const std::string& name) {
  v1::GetJobRequest request;
  request.set_name(name);
  v1::Job job;
  RETURN_IF_ERROR(connection.Call(
      [&](grpc::ClientContext& context) { return connection.jobs->GetJob(&context, request, &job); }));
  return job;
}

std::string Targets(const v1::Job& job) {
  return absl::StrJoin(job.targets(), " ",
                       [](std::string* out, const v1::Target& target) { out->append(FormatTarget(target)); });
}

std::string Labels(const v1::Job& job) {
  const std::map<std::string, std::string> sorted(job.labels().begin(), job.labels().end());
  return OneLine(absl::StrJoin(sorted, " ", absl::PairFormatter("=")));
}

std::string Progress(const v1::Job& job) {
  const v1::JobProgress& progress = job.progress();
  if (job.state() != v1::Job::RUNNING || progress.stage().empty()) return "";
  if (progress.bytes_total() <= 0) return progress.stage();
  return absl::StrFormat(
      "%s %.0f%%", progress.stage(),
      100.0 * static_cast<double>(progress.bytes_done()) / static_cast<double>(progress.bytes_total()));
}

std::string State(const v1::Job& job) {
  const bool ending = job.cancel_requested() && job.state() == v1::Job::RUNNING;
  return absl::StrCat(v1::Job::State_Name(job.state()), ending ? " (cancelling)" : "");
}

void Print(const v1::Job& job) {
  std::vector<std::vector<std::string>> facts = {
      {"job", job.name()},
      {"model", job.model()},
      {"targets", Targets(job)},
      {"state", State(job)},
      {"attempt", std::to_string(job.attempt())},
      {"created", FormatTime(job.create_time())},
      {"started", FormatTime(job.start_time())},
      {"ended", FormatTime(job.end_time())},
  };
  if (job.priority() != 0) facts.push_back({"priority", std::to_string(job.priority())});
  if (job.labels_size() > 0) facts.push_back({"labels", Labels(job)});
  if (const std::string progress = Progress(job); !progress.empty()) facts.push_back({"progress", progress});
  if (!job.error().empty()) facts.push_back({"error", OneLine(job.error())});
  PrintTable(facts);
  if (job.results_size() == 0) return;
  std::printf("\n");
  PrintResults(job);
}

absl::StatusOr<v1::ListJobsRequest> MakeRequest(const ListFlags& own) {
  v1::ListJobsRequest request;
  if (!own.model.empty()) request.set_model(ResourceName("models", own.model));
  if (!own.state.empty()) {
    v1::Job::State state = v1::Job::STATE_UNSPECIFIED;
    if (!v1::Job::State_Parse(absl::AsciiStrToUpper(own.state), &state))
      return absl::InvalidArgumentError(absl::StrCat("there is no state \"", own.state, "\""));
    request.set_state(state);
  }
  ASSIGN_OR_RETURN(auto labels, ParseLabels(own.labels));
  request.mutable_labels()->insert(labels.begin(), labels.end());
  return request;
}

absl::StatusOr<int> List(Connection& connection, v1::ListJobsRequest request, const PageFlags& page,
                         bool json) {
  ASSIGN_OR_RETURN(const v1::ListJobsResponse all,
                   ListPages<v1::ListJobsResponse>(connection, std::move(request), page,
                                                   [&](auto* context, const auto& of, auto* next) {
                                                     return connection.jobs->ListJobs(context, of, next);
                                                   }));
  if (json) {
    PrintJson(all);
    return kDone;
  }
  std::vector<std::vector<std::string>> rows = {
      {"JOB", "MODEL", "STATE", "PROGRESS", "CREATED", "TARGETS", "LABELS"}};
  for (const v1::Job& job : all.jobs()) {
    rows.push_back({job.name(), job.model(), State(job), Progress(job), FormatTime(job.create_time()),
                    Targets(job), Labels(job)});
  }
  PrintTable(rows);
  page.TellNext(all.next_page_token(), json);
  return kDone;
}

absl::StatusOr<int> Show(Connection& connection, const std::string& name, bool json) {
  ASSIGN_OR_RETURN(v1::Job job, GetJob(connection, name));
  json ? PrintJson(job) : Print(job);
  return kDone;
}

absl::StatusOr<int> Watch(Connection& connection, const std::string& name, bool json) {
  ASSIGN_OR_RETURN(v1::Job job, WatchToEnd(connection, name, json));
  if (!json) Print(job);
  return ReportEnd(job);
}

absl::StatusOr<int> Cancel(Connection& connection, const std::string& name, bool json) {
  v1::CancelJobRequest request;
  request.set_name(name);
  v1::Job job;
  RETURN_IF_ERROR(connection.Call(
      [&](grpc::ClientContext& context) { return connection.jobs->CancelJob(&context, request, &job); }));
  json ? PrintJson(job) : Print(job);
  return kDone;
}

absl::StatusOr<int> Delete(Connection& connection, const std::string& name, bool json) {
  v1::DeleteJobRequest request;
  request.set_name(name);
  google::protobuf::Empty response;
  RETURN_IF_ERROR(connection.Call([&](grpc::ClientContext& context) {
    return connection.jobs->DeleteJob(&context, request, &response);
  }));
  if (json) PrintJson(response);
  return kDone;
}

absl::StatusOr<int> Fetch(Connection& connection, const FetchFlags& own, bool json) {
  ASSIGN_OR_RETURN(v1::Job job, GetJob(connection, ResourceName("jobs", own.job)));
  if (job.state() != v1::Job::SUCCEEDED) {
    return absl::FailedPreconditionError(absl::StrCat(
        job.name(), " is ", v1::Job::State_Name(job.state()),
        ": only SUCCEEDED jobs have artifacts; `quantctl jobs show ", job.name(), "` tells more"));
  }
  ASSIGN_OR_RETURN(const std::vector<v1::TargetResult> results, SelectResults(job, own.targets));
  RETURN_IF_ERROR(FetchResults(connection, results, own.output));
  if (json) {
    v1::Job fetched = job;
    fetched.mutable_results()->Assign(results.begin(), results.end());
    PrintJson(fetched);
  }
  return kDone;
}

}  // namespace

void AddJobs(CLI::App& app, GlobalFlags& flags, Action& action) {
  CLI::App* jobs = app.add_subcommand("jobs", "Quantization jobs")->require_subcommand(1);
  auto filter = std::make_shared<ListFlags>();
  CLI::App* list = jobs->add_subcommand("list", "All jobs, newest first");
  list->add_option("--state", filter->state, "Only jobs in this state")
      ->check(CLI::IsMember({"queued", "running", "succeeded", "failed", "cancelled"}, CLI::ignore_case));
  list->add_option("--model", filter->model, "Only jobs of this model");
  list->add_option("--label", filter->labels, "Only jobs with KEY=VALUE, repeated")->allow_extra_args(false);
  filter->page.AddTo(*list);
  list->callback([&, filter] {
    action = [&, filter] {
      absl::StatusOr<v1::ListJobsRequest> request = MakeRequest(*filter);
      if (!request.ok()) return FailUsage(request.status());
      return WithConnection(
          flags, [&](Connection& server) { return List(server, *request, filter->page, flags.json()); });
    };
  });
  auto job = std::make_shared<std::string>();
  const auto add = [&](const char* name, const char* help, auto body) {
    CLI::App* command = jobs->add_subcommand(name, help);
    command->add_option("job", *job, "jobs/ID or ID")->required();
    command->callback([&, job, body] {
      action = [&, job, body] {
        return WithConnection(flags, [&](Connection& server) {
          return body(server, ResourceName("jobs", *job), flags.json());
        });
      };
    });
  };
  add("show", "One job", Show);
  add("watch", "Follow a job to its end", Watch);
  add("cancel", "Ask for the end of a job", Cancel);
  add("delete", "Remove an ended job and its artifacts", Delete);
}

void AddFetch(CLI::App& app, GlobalFlags& flags, Action& action) {
  auto own = std::make_shared<FetchFlags>();
  CLI::App* command =
      app.add_subcommand("fetch", "Bring a job's artifacts; goes on where an earlier fetch ended");
  command->add_option("job", own->job, "jobs/ID or ID")->required();
  command->add_option("--output", own->output, "Folder that gets one folder for each target")
      ->capture_default_str();
  command
      ->add_option("--target", own->targets,
                   "Only this one: FORMAT:SCHEME or the name of its folder; repeated")
      ->allow_extra_args(false);
  command->callback([&, own] {
    action = [&, own] {
      return WithConnection(flags, [&](Connection& server) { return Fetch(server, *own, flags.json()); });
    };
  });
}

}  // namespace quantd
