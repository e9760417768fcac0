// An object that is open for reading.
#pragma once

#include <memory>
#include <string>

#include "base/random_access_file.h"
#include "storage/objects/s3/block_cache.h"
#include "storage/objects/s3/client.h"

namespace quantd::s3 {

inline constexpr uint64_t kBlockBytes = 4 << 20;

// Reads by blocks of kBlockBytes. WillRead, and reads that go on from block to block, fetch the next ones
// meanwhile.
//
// Where the bucket keeps versions, the object stays readable whatever happens to its key. Elsewhere S3 can
// not promise that: after the object was replaced reads fail with ABORTED and after it was removed with
// NOT_FOUND, but never give bytes of another object.
//
// `client` and `cache` must outlive the file.
std::unique_ptr<RandomAccessFile> OpenReader(Client& client, BlockCache& cache, std::string key,
                                             ObjectState state);

}  // namespace quantd::s3
