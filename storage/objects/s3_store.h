// An object store in a bucket of S3 or of a server that speaks its protocol: PREFIX/objects/KEY, and
// PREFIX/uploads/ID/… for what is arriving (s3/upload.h).
//
// Where it keeps less than ObjectStore promises: an object that is replaced or removed while it is open stays
// readable only where the bucket keeps versions (s3/reader.h). All calls may fail with UNAVAILABLE, after
// several tries; no call waits forever.
#pragma once

#include <memory>
#include <string>

#include "storage/objects/object_store.h"
#include "storage/objects/s3/connection.h"

namespace quantd {

// Asks for the bucket, so that a wrong key, clock or name is an error here (s3/errors.h,
// s3/credentials.h), and aborts multipart uploads below the prefix that nobody goes on with.
absl::StatusOr<std::unique_ptr<ObjectStore>> OpenS3Store(const s3::Location& location, s3::Options options);

}  // namespace quantd
