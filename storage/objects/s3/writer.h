// An object that is written from its first byte to its last.
#pragma once

#include <memory>
#include <string>

#include "storage/objects/object_store.h"
#include "storage/objects/s3/client.h"

namespace quantd::s3 {

// Part n (from 0) of a large object: 16 MiB, twice as much after every 2000 parts, so that S3's 10 000 parts
// make 968 GiB.
uint64_t PartBytes(size_t part);

// An object up to the first part's size is one Put when it is committed; a larger one is a multipart upload,
// whose parts are sent while the next ones are filled. Memory: three parts. Dropped without Commit, the
// multipart upload is aborted; what a killed process leaves is aborted by a later start (s3_store.h).
// RESOURCE_EXHAUSTED for an object of more than 10 000 parts. `client` must outlive the writer.
std::unique_ptr<ObjectWriter> OpenWriter(Client& client, std::string key);

}  // namespace quantd::s3
