// Brings one blob into a local file, from the last byte that is there.
#pragma once

#include <string>

#include "client/blob_sender.h"
#include "client/connection.h"
#include "client/direct_reads.h"

namespace quantd {

// The file appears at `path` whole, with its SHA-256 checked, or not at all; on the way its bytes are in
// `path`.part, which an interrupted fetch leaves for the next one. A file that is complete already is kept
// and nothing is read. ABORTED while another process fetches the same file; DATA_LOSS when the server's bytes
// have another digest. Bytes come from the object store itself for as long as `direct` is usable, else by
// ByteStream.Read.
absl::Status FetchBlob(const Connection& connection, DirectReads& direct, const v1::ArtifactFile& file,
                       const std::string& path, const OnProgress& on_progress,
                       const RetryLimits& limits = {});

}  // namespace quantd
