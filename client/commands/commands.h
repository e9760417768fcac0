// quantctl's commands. Each adds itself to the command line; what runs returns the program's exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "client/connection.h"

namespace quantd {

struct GlobalFlags {
  ConnectionOptions connection;
  std::string output = "table";

  bool json() const { return output == "json"; }
};

// The command that was chosen; set by the parser.
using Action = std::function<int()>;

void AddUpload(CLI::App& app, GlobalFlags& flags, Action& action);
void AddModels(CLI::App& app, GlobalFlags& flags, Action& action);
void AddFormats(CLI::App& app, GlobalFlags& flags, Action& action);
void AddPlan(CLI::App& app, GlobalFlags& flags, Action& action);
void AddQuantize(CLI::App& app, GlobalFlags& flags, Action& action);
void AddJobs(CLI::App& app, GlobalFlags& flags, Action& action);
void AddFetch(CLI::App& app, GlobalFlags& flags, Action& action);
void AddInspect(CLI::App& app, GlobalFlags& flags, Action& action);

// Prints the error on one line and gives its exit code.
int Fail(const absl::Status& status);

// Runs `body` with an open connection; errors end as Fail.
int WithConnection(const GlobalFlags& flags, const std::function<absl::StatusOr<int>(Connection&)>& body);

// All targets, or INVALID_ARGUMENT.
absl::StatusOr<std::vector<v1::Target>> ParseTargets(const std::vector<std::string>& texts);

// Follows a job to its end with progress on stderr, or one JSON object a line on stdout.
absl::StatusOr<v1::Job> WatchToEnd(Connection& connection, const std::string& job, bool json);

// What a finished job wrote.
void PrintResults(const v1::Job& job);

}  // namespace quantd
