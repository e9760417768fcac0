#include <algorithm>
#include <cstdio>

#include "absl/strings/str_format.h"
#include "base/status.h"
#include "client/commands/commands.h"
#include "client/errors.h"
#include "client/output.h"
#include "client/target_text.h"

namespace quantd {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "quantctl: %s\n", std::string(status.message()).c_str());
  return ExitCodeOf(status);
}

int WithConnection(const GlobalFlags& flags, const std::function<absl::StatusOr<int>(Connection&)>& body) {
  absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(flags.connection);
  if (!connection.ok()) return Fail(connection.status());
  absl::StatusOr<int> code = body(**connection);
  return code.ok() ? *code : Fail(code.status());
}

absl::StatusOr<std::vector<v1::Target>> ParseTargets(const std::vector<std::string>& texts) {
  std::vector<v1::Target> targets;
  for (const std::string& text : texts) {
    ASSIGN_OR_RETURN(v1::Target target, ParseTarget(text));
    targets.push_back(std::move(target));
  }
  return targets;
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
            std::printf("%s\n", ToJson(event).c_str());
            std::fflush(stdout);
          } else if (event.type() == v1::JobEvent::PROGRESS) {
            progress.Update(event.progress().stage(), event.progress().bytes_done(),
                            event.progress().bytes_total());
          }
        }
        return FromGrpc(stream->Finish());
      },
      [&] { return revision; }));
  v1::GetJobRequest request;
  request.set_name(job);
  v1::Job ended;
  RETURN_IF_ERROR(connection.Call(
      [&](grpc::ClientContext& context) { return connection.jobs->GetJob(&context, request, &ended); }));
  return ended;
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
