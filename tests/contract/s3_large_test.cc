// Objects and uploads of several parts, on a real S3 server.
#include <gtest/gtest.h>

#include <cstring>

#include "base/sha256.h"
#include "storage/objects/s3/client.h"
#include "storage/objects/s3/parallel.h"
#include "storage/objects/s3/upload.h"
#include "storage/objects/s3/writer.h"
#include "storage/objects/s3_store.h"
#include "tests/contract/s3_server.h"

namespace quantd {
namespace {

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

// Bytes that tell their place: no two blocks are alike.
std::string Numbers(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i + 8 <= bytes; i += 8) std::memcpy(&text[i], &i, 8);
  return text;
}

class S3LargeTest : public testing::Test {
 protected:
  void SetUp() override {
    location_ = S3Server::Place(testing::UnitTest::GetInstance()->current_test_info()->name());
    store_ = *OpenS3Store(location_, S3Server::Owner());
  }
  // Reads in pieces that do not fit blocks.
  void ExpectContent(const std::string& key, const std::string& content) {
    auto file = store_->OpenForRead(key);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_EQ((*file)->size(), content.size());
    Sha256 digest;
    std::string piece(3'000'001, '\0');
    for (size_t offset = 0; offset < content.size(); offset += piece.size()) {
      piece.resize(std::min(piece.size(), content.size() - offset));
      (*file)->WillRead(offset + (8 << 20), piece.size());
      ASSERT_TRUE((*file)->ReadAt(offset, std::as_writable_bytes(std::span(piece))).ok());
      digest.Update(piece);
    }
    EXPECT_EQ(digest.FinishHex(), Sha256Hex(content));
  }
  std::vector<s3::MultipartInfo> Multiparts() {
    s3::Connection connection(location_, S3Server::Owner());
    return *s3::Client(connection).ListMultiparts(location_.prefix);
  }

  s3::Location location_;
  std::unique_ptr<ObjectStore> store_;
};

TEST_F(S3LargeTest, AnObjectOfSeveralParts) {
  const std::string content = Numbers((20 << 20) + 8);
  auto writer = *store_->Create("large");
  ASSERT_TRUE(writer->Append(Bytes(content)).ok());
  const absl::Status committed = writer->Commit();
  ASSERT_TRUE(committed.ok()) << committed;
  ExpectContent("large", content);
  EXPECT_TRUE(Multiparts().empty());
}

TEST_F(S3LargeTest, AWriterThatIsDroppedAbortsItsParts) {
  auto writer = *store_->Create("dropped");
  ASSERT_TRUE(writer->Append(Bytes(Numbers(17 << 20))).ok());
  EXPECT_EQ(Multiparts().size(), 1u);
  writer.reset();
  EXPECT_TRUE(Multiparts().empty());
}

TEST_F(S3LargeTest, AStartAbortsWhatIsStaleAndNothingElse) {
  auto writer = *store_->Create("left");
  ASSERT_TRUE(writer->Append(Bytes(Numbers(17 << 20))).ok());
  ASSERT_TRUE(OpenS3Store(location_, S3Server::Owner()).ok());
  EXPECT_EQ(Multiparts().size(), 1u);
  s3::Options options = S3Server::Owner();
  options.stale_after = absl::ZeroDuration();
  ASSERT_TRUE(OpenS3Store(location_, options).ok());
  EXPECT_TRUE(Multiparts().empty());
}

TEST_F(S3LargeTest, AnUploadOfSeveralPiecesGoesOnInAnotherProcess) {
  const std::string content = Numbers(35 << 20);
  const size_t first = 33 << 20;
  auto upload = *store_->ResumeUpload("id");
  ASSERT_TRUE(upload->Append(Bytes(content.substr(0, first))).ok());
  ASSERT_TRUE(upload->Sync().ok());
  EXPECT_EQ(upload->durable_size(), first);

  auto other = *OpenS3Store(location_, S3Server::Owner());
  EXPECT_EQ(*other->UploadSize("id"), first);
  auto resumed = *other->ResumeUpload("id");
  EXPECT_EQ(resumed->durable_size(), first);
  ASSERT_TRUE(resumed->Append(Bytes(content.substr(first))).ok());
  auto back = *resumed->ReadBack();
  EXPECT_EQ(Sha256Hex(*ReadAll(*back, 64 << 20)), Sha256Hex(content));

  // The first writer comes back late.
  ASSERT_TRUE(upload->Append(Bytes("late")).ok());
  EXPECT_EQ(upload->Sync().code(), absl::StatusCode::kAborted);

  const absl::Status committed = resumed->Commit("whole");
  ASSERT_TRUE(committed.ok()) << committed;
  ExpectContent("whole", content);
  EXPECT_TRUE(store_->ListUploads()->empty());
  EXPECT_TRUE(Multiparts().empty());
}

TEST_F(S3LargeTest, AVersionedBucketKeepsWhatIsOpen) {
  location_.bucket = "versioned";
  s3::Connection connection(location_, S3Server::Owner());
  ASSERT_TRUE(connection.Send({.what = "make the bucket", .method = "PUT"}).ok());
  const std::string enable =
      "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status>"
      "</VersioningConfiguration>";
  ASSERT_TRUE(connection
                  .Send({.what = "keep versions",
                         .method = "PUT",
                         .query = {{"versioning", ""}},
                         .body = Bytes(enable)})
                  .ok());
  auto store = *OpenS3Store(location_, S3Server::Owner());
  const auto put = [&](const std::string& content) {
    auto writer = *store->Create("a");
    ASSERT_TRUE(writer->Append(Bytes(content)).ok());
    ASSERT_TRUE(writer->Commit().ok());
  };
  put("old");
  auto open = *store->OpenForRead("a");
  put("newer");
  ASSERT_TRUE(store->Remove("a").ok());
  EXPECT_EQ(*ReadAll(*open, 100), "old");
}

TEST_F(S3LargeTest, ListsMoreThanAPage) {
  s3::Connection connection(location_, S3Server::Owner());
  s3::Client client(connection);
  constexpr size_t kObjects = 30;  // a page has 7
  const absl::Status put = s3::ForEachInParallel(kObjects, [&](size_t i) {
    return client.Put(location_.prefix + "/objects/n/" + std::to_string(i), {}, "mark", {}).status();
  });
  ASSERT_TRUE(put.ok()) << put;
  EXPECT_EQ(store_->List("n")->size(), kObjects);
}

}  // namespace
}  // namespace quantd
