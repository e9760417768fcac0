#include <algorithm>
#include <cstdio>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "client/commands/commands.h"
#include "client/errors.h"
#include "client/progress.h"
#include "client/target_text.h"
#include "client/text.h"

namespace quantd {
namespace {

// Long enough for a server that is being started beside this program.
constexpr absl::Duration kReachPatience = absl::Seconds(4);
constexpr char kAllowRequantize[] = "allow_requantize";

}  // namespace

int Fail(const absl::Status& status, const std::string& server) {
  const std::string advice = server.empty() ? "" : AdviceFor(status, server);
  std::fprintf(stderr, "quantctl: %s\n",
               OneLine(absl::StrCat(status.message(), advice.empty() ? "" : "; ", advice)).c_str());
  return ExitCodeOf(status);
}

int FailUsage(const absl::Status& status) {
  Fail(status);
  return kWrongUsage;
}

int WithConnection(const GlobalFlags& flags, const Body& body) {
  absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(flags.connection);
  if (!connection.ok()) return FailUsage(connection.status());
  if (absl::Status reached = (*connection)->Reach(kReachPatience); !reached.ok())
    return Fail(reached, flags.connection.server);
  absl::StatusOr<int> code = body(**connection);
  return code.ok() ? *code : Fail(code.status(), flags.connection.server);
}

std::string ResourceName(const std::string& collection, const std::string& text) {
  return absl::StrContains(text, '/') ? text : absl::StrCat(collection, "/", text);
}

void TargetFlags::AddTo(CLI::App& command) {
  command.add_option("--to", texts, "FORMAT:SCHEME[,option=value…], one or several")->required();
  command.add_flag("--allow-requantize", allow_requantize,
                   "Take a source whose weights are quantized already, for every target");
}

absl::StatusOr<std::vector<v1::Target>> TargetFlags::Parse() const {
  std::vector<v1::Target> targets;
  for (const std::string& text : texts) {
    ASSIGN_OR_RETURN(v1::Target target, ParseTarget(text));
    const auto& options = target.options();
    const bool given = std::any_of(options.begin(), options.end(),
                                   [](const auto& option) { return option.name() == kAllowRequantize; });
    if (allow_requantize && !given) {
      v1::TargetOption* option = target.add_options();
      option->set_name(kAllowRequantize);
      option->set_value("true");
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

void PageFlags::AddTo(CLI::App& command) {
  command.add_option("--page-size", size, "Only one page, of at most so many")->check(CLI::Range(1, 1000));
  command.add_option("--page-token", token, "Go on where an earlier page ended");
}

void PageFlags::TellNext(const std::string& next_token, bool json) const {
  if (!next_token.empty() && !json) std::fprintf(stderr, "more with --page-token %s\n", next_token.c_str());
}

absl::StatusOr<std::map<std::string, std::string>> ParseLabels(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> labels;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return absl::InvalidArgumentError(absl::StrCat("label \"", text, "\" is not of the form KEY=VALUE"));
    labels[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return labels;
}

absl::StatusOr<v1::Job> WatchToEnd(Connection& connection, const std::string& job, bool json) {
  ProgressLine progress;
  int64_t revision = 0;
  RETURN_IF_ERROR(RetryUnavailable(
      [&]() -> absl::Status {
        v1::WatchJobRequest request;
        request.set_name(job);
        request.set_after_revision(revision);
        grpc::ClientContext context;
        connection.Prepare(context);
        auto stream = connection.jobs->WatchJob(&context, request);
        v1::JobEvent event;
        while (stream->Read(&event)) {
          revision = event.revision();
          if (json) {
            PrintJson(event);
          } else if (event.type() == v1::JobEvent::PROGRESS) {
            progress.Set(event.progress().stage(), event.progress().bytes_done(),
                         event.progress().bytes_total());
          }
        }
        return connection.StatusOfStream(stream->Finish());
      },
      [&] { return revision; }));
  v1::GetJobRequest request;
  request.set_name(job);
  v1::Job ended;
  RETURN_IF_ERROR(connection.Call(
      [&](grpc::ClientContext& context) { return connection.jobs->GetJob(&context, request, &ended); }));
  return ended;
}

int ReportEnd(const v1::Job& job) {
  if (job.state() == v1::Job::SUCCEEDED) return kDone;
  const std::string reason = job.state() == v1::Job::CANCELLED ? "cancelled" : OneLine(job.error());
  std::fprintf(stderr, "quantctl: %s: %s\n", job.name().c_str(), reason.c_str());
  return job.state() == v1::Job::CANCELLED ? kJobFailed : ExitCodeOfJob(job.error_code());
}

void PrintResults(const v1::Job& job) {
  std::vector<std::vector<std::string>> rows = {
      {"TARGET", "DIRECTORY", "FILES", "SIZE", "BITS/WEIGHT", "ERROR", "SECONDS"}};
  for (const v1::TargetResult& result : job.results()) {
    int64_t size = 0;
    for (const v1::ArtifactFile& file : result.files()) size += file.size();
    rows.push_back({FormatTarget(result.target()), result.directory(), std::to_string(result.files_size()),
                    FormatBytes(size), absl::StrFormat("%.3f", result.bits_per_weight()),
                    absl::StrFormat("%.5f", result.relative_error()),
                    absl::StrFormat("%.1f", result.seconds())});
  }
  PrintTable(rows);
  if (job.cached())
    std::fprintf(
        stderr,
        "note: an earlier job with the same sources and targets wrote these; --no-cache runs it again\n");
  constexpr int kMostNotes = 3;
  for (const v1::TargetResult& result : job.results()) {
    for (int i = 0; i < std::min(kMostNotes, result.notes_size()); ++i) {
      std::fprintf(stderr, "note: %s: %s\n", result.directory().c_str(), result.notes(i).c_str());
    }
    if (result.notes_size() > kMostNotes) {
      std::fprintf(stderr, "note: %s: %d more; `quantctl plan` tells all\n", result.directory().c_str(),
                   result.notes_size() - kMostNotes);
    }
  }
}

}  // namespace quantd
