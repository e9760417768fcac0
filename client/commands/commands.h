// quantctl's commands. Each adds itself to the command line; what runs returns the program's exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "client/connection.h"

namespace quantd {

struct GlobalFlags {
  ConnectionOptions connection;
  std::string output = "table";

  bool json() const { return output == "json"; }
};

// The command that was chosen; set by the parser.
using Action = std::function<int()>;
using Body = std::function<absl::StatusOr<int>(Connection&)>;

// The whole command line. The arguments must outlive `app`.
void AddCommands(CLI::App& app, GlobalFlags& flags, Action& action);

void AddUpload(CLI::App& app, GlobalFlags& flags, Action& action);
void AddModels(CLI::App& app, GlobalFlags& flags, Action& action);
void AddFormats(CLI::App& app, GlobalFlags& flags, Action& action);
void AddPlan(CLI::App& app, GlobalFlags& flags, Action& action);
void AddQuantize(CLI::App& app, GlobalFlags& flags, Action& action);
void AddJobs(CLI::App& app, GlobalFlags& flags, Action& action);
void AddFetch(CLI::App& app, GlobalFlags& flags, Action& action);
// Below `admin`.
void AddTokens(CLI::App& admin, GlobalFlags& flags, Action& action);
void AddInspect(CLI::App& app, GlobalFlags& flags, Action& action);
void AddHealth(CLI::App& app, GlobalFlags& flags, Action& action);
void AddVersion(CLI::App& app, GlobalFlags& flags, Action& action);
void AddAdmin(CLI::App& app, GlobalFlags& flags, Action& action);
void AddCompletion(CLI::App& app, Action& action);

// Prints the error on one line, with what to do about it, and gives its exit code.
int Fail(const absl::Status& status, const std::string& server = "");
// The same for an error of the command line: exit code 2.
int FailUsage(const absl::Status& status);

// Runs `body` with a connection that was reached; errors end as Fail.
int WithConnection(const GlobalFlags& flags, const Body& body);

// "COLLECTION/ID" of an ID alone; other text as it is.
std::string ResourceName(const std::string& collection, const std::string& text);

// --to and --allow-requantize.
struct TargetFlags {
  std::vector<std::string> texts;
  bool allow_requantize = false;

  void AddTo(CLI::App& command);
  // INVALID_ARGUMENT for a text of another form.
  absl::StatusOr<std::vector<v1::Target>> Parse() const;
};

// --page-size and --page-token of the lists.
struct PageFlags {
  int size = 0;
  std::string token;

  void AddTo(CLI::App& command);
  // One page was asked for, not everything.
  bool one_page() const { return size > 0 || !token.empty(); }
  // Tells people how to go on; JSON has the token in it.
  void TellNext(const std::string& next_token, bool json) const;
};

// The page that `page` asks for, or all of them as one; list(context, request, &response) is the call. The
// answer has the token of what follows.
template <class Response, class Request, class List>
absl::StatusOr<Response> ListPages(Connection& connection, Request request, const PageFlags& page,
                                   List list) {
  request.set_page_size(page.size);
  request.set_page_token(page.token);
  Response all;
  do {
    Response next;
    RETURN_IF_ERROR(
        connection.Call([&](grpc::ClientContext& context) { return list(&context, request, &next); }));
    all.MergeFrom(next);
    all.set_next_page_token(next.next_page_token());
    request.set_page_token(next.next_page_token());
  } while (!page.one_page() && !request.page_token().empty());
  return all;
}

// KEY=VALUE, repeated. INVALID_ARGUMENT for another form.
absl::StatusOr<std::map<std::string, std::string>> ParseLabels(const std::vector<std::string>& texts);

// Follows a job to its end, over restarts of the server, with progress on stderr, or with `json` one object a
// line on stdout.
absl::StatusOr<v1::Job> WatchToEnd(Connection& connection, const std::string& job, bool json);

// The exit code of an ended job, said on stderr when it has not succeeded.
int ReportEnd(const v1::Job& job);

// What a finished job wrote.
void PrintResults(const v1::Job& job);

}  // namespace quantd
