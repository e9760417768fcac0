// An upload that any process can go on with: numbered pieces under one folder.
//
//   uploads/ID/00000000000000000000   bytes from 0 on
//   uploads/ID/00000000000033554432   bytes from 33554432 on
//   …
//
// A piece's name is the offset of its first byte, in 20 digits. All pieces but the last have kLeastPiece to
// kMostPiece bytes, which lets CommitUpload copy each to a part of the object, inside S3. The last may be
// shorter: it is what the last Sync made durable. It stays in memory, and the next Sync writes it anew,
// longer; once it has kLeastPiece bytes it stays as it is and the next piece begins. An empty first piece
// says that the upload has begun.
//
// Each piece is written on the condition that it is still what this process found or wrote: if two processes
// go on with one upload, one of them is ABORTED and loses nothing that it was told is durable.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/objects/object_store.h"
#include "storage/objects/s3/block_cache.h"
#include "storage/objects/s3/client.h"

namespace quantd::s3 {

inline constexpr uint64_t kLeastPiece = 5 << 20;  // S3's least part
inline constexpr uint64_t kMostPiece = 32 << 20;

// Opens the upload whose pieces lie in `folder` ("…/uploads/ID/"); pieces that do not join the others (of an
// upload that was being removed) are removed. Commit makes objects below `objects` ("…/objects/"). `client`
// and `cache` must outlive it.
absl::StatusOr<std::unique_ptr<ResumableUpload>> OpenUpload(Client& client, BlockCache& cache,
                                                            std::string folder, std::string objects);

// Bytes that OpenUpload would find.
absl::StatusOr<uint64_t> SizeOfUpload(Client& client, const std::string& folder);

// Removes all pieces.
absl::Status RemoveUpload(Client& client, const std::string& folder);

}  // namespace quantd::s3
