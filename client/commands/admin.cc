#include <cstdio>

#include "base/status.h"
#include "client/commands/commands.h"
#include "client/errors.h"
#include "client/text.h"

namespace quantd {
namespace {

// A collection of a large store takes its time.
constexpr absl::Duration kCollectPatience = absl::Minutes(10);

absl::StatusOr<int> CollectGarbage(Connection& connection, bool dry_run, bool json) {
  v1::CollectGarbageRequest request;
  request.set_dry_run(dry_run);
  v1::CollectGarbageResponse response;
  RETURN_IF_ERROR(connection.Call(
      [&](grpc::ClientContext& context) {
        return connection.admin->CollectGarbage(&context, request, &response);
      },
      kCollectPatience));
  if (json) {
    PrintJson(response);
    return kDone;
  }
  std::vector<std::vector<std::string>> rows = {{"TENANT", "NAME"}};
  for (const v1::CollectedRecord& record : response.records())
    rows.push_back({record.tenant(), record.name()});
  if (response.records_size() > 0) PrintTable(rows);
  std::printf("%s: %d models and jobs, %lld uploads, %lld objects, %s\n", dry_run ? "would go" : "gone",
              response.records_size(), static_cast<long long>(response.uploads()),
              static_cast<long long>(response.objects()), FormatBytes(response.bytes()).c_str());
  return kDone;
}

void AddCollection(CLI::App& admin, GlobalFlags& flags, Action& action) {
  auto dry_run = std::make_shared<bool>(false);
  CLI::App* gc = admin.add_subcommand("gc", "Take away what retention does not keep and what nothing needs");
  gc->add_flag("--dry-run", *dry_run, "Only tell what would go");
  gc->callback([&, dry_run] {
    action = [&, dry_run] {
      return WithConnection(
          flags, [&](Connection& server) { return CollectGarbage(server, *dry_run, flags.json()); });
    };
  });
}

}  // namespace

void AddAdmin(CLI::App& app, GlobalFlags& flags, Action& action) {
  CLI::App* admin = app.add_subcommand("admin", "What operators do")->require_subcommand(1);
  AddCollection(*admin, flags, action);
  AddTokens(*admin, flags, action);
}

}  // namespace quantd
