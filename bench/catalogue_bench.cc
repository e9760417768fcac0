// How long CreateJob and LeaseTask take while many jobs are queued: one JSON line for each.
//   catalogue_bench --catalogue sqlite:PATH|postgresql://… [--queued N] [--calls N]
// The database is to be a new one.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

#include "absl/time/clock.h"
#include "base/status.h"
#include "storage/catalogue/catalogue.h"

namespace quantd {
namespace {

struct Options {
  std::string catalogue;
  int queued = 10000;
  int calls = 500;
};

constexpr char kBusy[] = "busy", kCalm[] = "calm";  // tenants
constexpr char kEngine[] = "1";

absl::StatusOr<std::string> ReadyModel(Catalogue& catalogue, const std::string& tenant) {
  const BlobId blob{std::string(64, 'a'), 1};
  ASSIGN_OR_RETURN(const UploadRecord upload, catalogue.BeginUpload(tenant, blob));
  RETURN_IF_ERROR(catalogue.FinishUpload(tenant, upload.id, "blobs/" + upload.id));
  ASSIGN_OR_RETURN(const ModelRecord model,
                   catalogue.CreateModel(tenant, "model", {{"model.safetensors", blob}}, ""));
  ASSIGN_OR_RETURN(const auto lease, catalogue.LeaseTask({TaskKind::kInspect}, "worker", kEngine));
  if (!lease.has_value()) return absl::InternalError("the database is not a new one");
  RETURN_IF_ERROR(catalogue.CompleteInspect(lease->task.id, lease->token, ""));
  return model.id;
}

absl::Status Measure(const char* what, const Options& options, const std::function<absl::Status(int)>& call) {
  std::vector<double> milliseconds;
  for (int i = 0; i < options.calls; ++i) {
    const absl::Time begin = absl::Now();
    RETURN_IF_ERROR(call(i));
    milliseconds.push_back(absl::ToDoubleMilliseconds(absl::Now() - begin));
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  std::printf("{\"call\": \"%s\", \"queued\": %d, \"median_ms\": %.3f, \"p99_ms\": %.3f}\n", what,
              options.queued, milliseconds[milliseconds.size() / 2],
              milliseconds[milliseconds.size() * 99 / 100]);
  return absl::OkStatus();
}

absl::Status Run(const Options& options) {
  SystemClock clock;
  CatalogueOptions limits;
  // Limits that are checked and not met.
  limits.limits_of = [](const std::string& /*tenant*/) {
    return TenantLimits{.stored_bytes = int64_t{1} << 50, .queued_jobs = 1 << 20, .running_jobs = 1 << 20};
  };
  ASSIGN_OR_RETURN(const std::unique_ptr<Catalogue> catalogue,
                   Catalogue::Open(options.catalogue, clock, limits));
  ASSIGN_OR_RETURN(const std::string model, ReadyModel(*catalogue, kBusy));
  ASSIGN_OR_RETURN(const std::string other, ReadyModel(*catalogue, kCalm));
  const auto create = [&](const std::string& tenant, const std::string& of, int i) {
    return catalogue->CreateJob(tenant, {.model_id = of, .targets_blob = "targets", .priority = i % 3})
        .status();
  };
  for (int i = 0; i < options.queued; ++i) RETURN_IF_ERROR(create(kBusy, model, i));
  RETURN_IF_ERROR(Measure("CreateJob", options, [&](int i) { return create(kBusy, model, i); }));
  for (int i = 0; i < options.calls / 2; ++i) RETURN_IF_ERROR(create(kCalm, other, i));
  return Measure("LeaseTask", options, [&](int /*i*/) -> absl::Status {
    ASSIGN_OR_RETURN(const auto lease, catalogue->LeaseTask({TaskKind::kQuantize}, "worker", kEngine));
    return lease.has_value() ? absl::OkStatus() : absl::InternalError("the queue is empty");
  });
}

}  // namespace
}  // namespace quantd

int main(int argc, char** argv) {
  CLI::App app("Times of the queue's calls");
  quantd::Options options;
  app.add_option("--catalogue", options.catalogue, "sqlite:PATH or postgresql://…")->required();
  app.add_option("--queued", options.queued, "Jobs of one tenant that wait")->capture_default_str();
  app.add_option("--calls", options.calls, "Calls that are timed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = quantd::Run(options);
  if (!status.ok()) std::fprintf(stderr, "catalogue_bench: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
