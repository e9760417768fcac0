#include <cstdio>

#include "absl/strings/str_format.h"
#include "base/status.h"
#include "client/commands/commands.h"
#include "client/target_text.h"
#include "client/text.h"

namespace quantd {
namespace {

struct PlanFlags {
  std::string model;
  TargetFlags targets;
};

void Print(const v1::Plan& plan) {
  std::vector<std::vector<std::string>> rows = {{"TARGET", "DIRECTORY", "TENSORS", "SIZE", "BITS/WEIGHT"}};
  for (const v1::TargetPlan& target : plan.targets()) {
    int64_t size = 0;
    for (const v1::PlannedFile& file : target.files()) size += file.size();
    rows.push_back({FormatTarget(target.target()), target.directory(), std::to_string(target.tensors_size()),
                    FormatBytes(size), absl::StrFormat("%.3f", target.bits_per_weight())});
  }
  PrintTable(rows);
  std::printf("memory %s, disk %s, source %s\n", FormatBytes(plan.memory_bytes()).c_str(),
              FormatBytes(plan.disk_bytes()).c_str(), FormatBytes(plan.source_bytes()).c_str());
  for (const v1::TargetPlan& target : plan.targets()) {
    for (const std::string& note : target.notes())
      std::printf("note: %s: %s\n", target.directory().c_str(), note.c_str());
  }
}

}  // namespace

void AddPlan(CLI::App& app, GlobalFlags& flags, Action& action) {
  auto own = std::make_shared<PlanFlags>();
  CLI::App* command = app.add_subcommand("plan", "Types, sizes, memory and disk of a job; nothing is queued");
  command->add_option("model", own->model, "models/ID")->required();
  own->targets.AddTo(*command);
  command->callback([&, own] {
    action = [&, own] {
      absl::StatusOr<std::vector<v1::Target>> targets = own->targets.Parse();
      if (!targets.ok()) return FailUsage(targets.status());
      return WithConnection(flags, [&](Connection& connection) -> absl::StatusOr<int> {
        v1::CreateJobRequest request;
        request.set_model(ResourceName("models", own->model));
        request.mutable_targets()->Assign(targets->begin(), targets->end());
        request.set_validate_only(true);
        v1::CreateJobResponse response;
        RETURN_IF_ERROR(connection.Call(
            [&](grpc::ClientContext& context) {
              return connection.jobs->CreateJob(&context, request, &response);
            },
            absl::Seconds(90)));
        if (flags.json()) {
          PrintJson(response.plan());
        } else {
          Print(response.plan());
        }
        return 0;
      });
    };
  });
}

}  // namespace quantd
