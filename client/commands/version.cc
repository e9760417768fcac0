#include <cstdio>

#include "base/json.h"
#include "client/commands/commands.h"
#include "client/completion.h"
#include "client/errors.h"

namespace quantd {
namespace {

constexpr char kClientVersion[] = "0.1.0";
constexpr absl::Duration kPatience = absl::Seconds(1);

absl::StatusOr<std::string> ServerVersion(const ConnectionOptions& options) {
  absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(options);
  if (!connection.ok()) return connection.status();
  if (absl::Status reached = (*connection)->Reach(kPatience); !reached.ok()) return reached;
  v1::Capabilities capabilities;
  const absl::Status status =
      (*connection)
          ->Call(
              [&](grpc::ClientContext& context) {
                return (*connection)->capabilities->GetCapabilities(&context, {}, &capabilities);
              },
              kPatience, {.patience = kPatience});
  if (!status.ok()) return status;
  return capabilities.server_version();
}

int PrintVersions(const GlobalFlags& flags) {
  const absl::StatusOr<std::string> server = ServerVersion(flags.connection);
  if (flags.json()) {
    Json versions = {{"client", kClientVersion}};
    if (server.ok()) versions["server"] = *server;
    std::printf("%s\n", versions.dump().c_str());
  } else {
    std::printf("quantctl %s\n", kClientVersion);
    if (server.ok()) std::printf("quantd %s at %s\n", server->c_str(), flags.connection.server.c_str());
  }
  // The program's own version needs no server.
  if (!server.ok()) Fail(server.status());
  return kDone;
}

}  // namespace

void AddVersion(CLI::App& app, GlobalFlags& flags, Action& action) {
  app.add_subcommand("version", "Versions of this program and of the server")->callback([&] {
    action = [&] { return PrintVersions(flags); };
  });
}

void AddCompletion(CLI::App& app, Action& action) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Completion script for a shell, to be sourced");
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([&app, &action, shell] {
    action = [&app, shell] {
      std::fputs(CompletionScript(app, *shell).c_str(), stdout);
      return static_cast<int>(kDone);
    };
  });
}

}  // namespace quantd
