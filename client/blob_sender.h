// Sends one blob, from the server's last durable byte.
#pragma once

#include <functional>
#include <string>

#include "client/connection.h"
#include "client/local_blob.h"

namespace quantd {

// Called with the bytes that came nearer to the blob's end; less than 0 when sent bytes were not kept.
using OnProgress = std::function<void(int64_t)>;

// Returns when the blob is complete at the server. A stream that breaks is gone on with from the durable
// offset, under the rule of RetryUnavailable.
absl::Status SendBlob(const Connection& connection, const std::string& resource_name, const LocalBlob& blob,
                      const OnProgress& on_progress, const RetryLimits& limits = {});

}  // namespace quantd
