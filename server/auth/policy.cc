#include "server/auth/policy.h"

#include <algorithm>

namespace quantd {
namespace {

constexpr bool kReads = false;
constexpr bool kChanges = true;

constexpr MethodPolicy kPolicies[] = {
    {"/quantd.v1.ModelService/CreateModel", Role::kSubmitter, kChanges},
    {"/quantd.v1.ModelService/GetModel", Role::kViewer, kReads},
    {"/quantd.v1.ModelService/ListModels", Role::kViewer, kReads},
    {"/quantd.v1.ModelService/DeleteModel", Role::kSubmitter, kChanges},

    {"/quantd.v1.JobService/CreateJob", Role::kSubmitter, kChanges},
    {"/quantd.v1.JobService/GetJob", Role::kViewer, kReads},
    {"/quantd.v1.JobService/ListJobs", Role::kViewer, kReads},
    {"/quantd.v1.JobService/CancelJob", Role::kSubmitter, kChanges},
    {"/quantd.v1.JobService/DeleteJob", Role::kSubmitter, kChanges},
    {"/quantd.v1.JobService/WatchJob", Role::kViewer, kReads},

    {"/quantd.v1.CapabilityService/GetCapabilities", Role::kViewer, kReads},

    {"/google.bytestream.ByteStream/Read", Role::kViewer, kReads},
    {"/google.bytestream.ByteStream/Write", Role::kSubmitter, kChanges},
    {"/google.bytestream.ByteStream/QueryWriteStatus", Role::kSubmitter, kReads},

    {"/quantd.v1.AdminService/CollectGarbage", Role::kAdmin, kChanges},
    {"/quantd.v1.AdminService/CreateToken", Role::kAdmin, kChanges},
    {"/quantd.v1.AdminService/ListTokens", Role::kAdmin, kReads},
    {"/quantd.v1.AdminService/RevokeToken", Role::kAdmin, kChanges},

    // Workers read and write the object store directly, so that no method of ByteStream is theirs. What they
    // do to a job is in the job's events.
    {"/quantd.v1.WorkerService/Lease", Role::kWorker, kReads},
    {"/quantd.v1.WorkerService/Heartbeat", Role::kWorker, kReads},
    {"/quantd.v1.WorkerService/Complete", Role::kWorker, kReads},
    {"/quantd.v1.WorkerService/Fail", Role::kWorker, kReads},
};

}  // namespace

std::span<const MethodPolicy> MethodPolicies() { return kPolicies; }

const MethodPolicy* FindPolicy(std::string_view method) {
  const auto* found = std::find_if(std::begin(kPolicies), std::end(kPolicies),
                                   [&](const MethodPolicy& policy) { return policy.method == method; });
  return found == std::end(kPolicies) ? nullptr : found;
}

bool Allows(Role has, Role least) {
  if (has == Role::kWorker || least == Role::kWorker) return has == least;
  return has >= least;
}

}  // namespace quantd
