// Opens what was written with this project's own readers and compares it with what was meant.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "workers/engine/artifact_store.h"
#include "workers/models/targets/target.h"

namespace quantd {

// SHA-256 of every plane of every tensor of a plan, of the bytes that were given to the writer.
using PlaneDigests = std::vector<std::vector<std::string>>;

// Reads each file of the artifact once. DATA_LOSS when a file's digest, or a tensor's name, type, shape or
// digest is not what was written. `keep_going` is asked after each MiB; what it says instead of OK ends the
// work.
absl::Status VerifyTarget(const PlannedTarget& target, const PlaneDigests& digests,
                          const ArtifactStore& artifact, const std::function<absl::Status()>& keep_going);

}  // namespace quantd
