#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "client/commands/commands.h"

namespace quantd {
namespace {

using grpc::health::v1::HealthCheckResponse;

// A probe asks again by itself.
constexpr absl::Duration kPatience = absl::Seconds(2);

// UNAVAILABLE unless the server takes calls.
absl::Status CheckHealth(const ConnectionOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection, Connection::Open(options));
  HealthCheckResponse answer;
  RETURN_IF_ERROR(connection->Call(
      [&](grpc::ClientContext& context) { return connection->health->Check(&context, {}, &answer); },
      kPatience, {.patience = absl::ZeroDuration()}));
  if (answer.status() == HealthCheckResponse::SERVING) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("quantd at ", options.server, " says ",
                                             HealthCheckResponse::ServingStatus_Name(answer.status())));
}

}  // namespace

void AddHealth(CLI::App& app, GlobalFlags& flags, Action& action) {
  app.add_subcommand("health", "Whether the server takes calls, for probes; exit code 0 or 3")->callback([&] {
    action = [&]() -> int {
      if (absl::Status status = CheckHealth(flags.connection); !status.ok()) return Fail(status);
      std::printf("%s\n", flags.json() ? Json{{"status", "SERVING"}}.dump().c_str() : "SERVING");
      return 0;
    };
  });
}

}  // namespace quantd
