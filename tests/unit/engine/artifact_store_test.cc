#include "workers/engine/artifact_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sha256.h"
#include "storage/objects/memory_store.h"

namespace quantd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ArtifactStoreTest : public testing::Test {
 protected:
  size_t Objects() { return objects_->List("")->size(); }

  void Overwrite(const std::string& key, std::string_view bytes) {
    auto writer = objects_->Create(key);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Append(std::as_bytes(std::span(bytes))).ok());
    ASSERT_TRUE((*writer)->Commit().ok());
  }

  std::unique_ptr<ObjectStore> objects_ = OpenMemoryStore();
  ArtifactStore artifact_{*objects_, "jobs/1/gguf-Q4_0"};
};

TEST_F(ArtifactStoreTest, PutsFilesBelowItsPrefixWithTheirDigest) {
  ASSERT_TRUE(artifact_.Put("a/b.json", "hello").ok());
  ASSERT_THAT(artifact_.files(), SizeIs(1));
  const StoredFile& file = artifact_.files()[0];
  EXPECT_EQ(file.path, "a/b.json");
  EXPECT_EQ(file.object_key, "jobs/1/gguf-Q4_0/a/b.json");
  EXPECT_EQ(file.size, 5);
  EXPECT_EQ(file.sha256, Sha256Hex("hello"));
  EXPECT_EQ(objects_->Stat(file.object_key)->size, 5u);
}

TEST_F(ArtifactStoreTest, AFileCountsOnlyWhenItIsClosed) {
  auto file = artifact_.Create("model.gguf");
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Append(std::as_bytes(std::span("half"))).ok());
  EXPECT_EQ(Objects(), 0u);
  file->reset();
  EXPECT_EQ(Objects(), 0u);
  EXPECT_THAT(artifact_.files(), IsEmpty());
}

TEST_F(ArtifactStoreTest, RefusesPathsThatClimbOut) {
  for (const char* path : {"../x", "/x", "", "a//b", "a/../../b"})
    EXPECT_EQ(artifact_.Put(path, "x").code(), absl::StatusCode::kInvalidArgument) << path;
  EXPECT_EQ(Objects(), 0u);
}

TEST_F(ArtifactStoreTest, OpensWhatItWrote) {
  ASSERT_TRUE(artifact_.Put("a.bin", "hello").ok());
  const auto file = artifact_.Open(artifact_.files()[0]);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(*ReadAll(**file, 100), "hello");
}

TEST_F(ArtifactStoreTest, RemovesOnlyWhatLiesBelowThePrefix) {
  Overwrite("jobs/1/a/b", "x");
  Overwrite("jobs/1/c", "x");
  Overwrite("jobs/10/c", "x");
  EXPECT_TRUE(RemoveObjects(*objects_, "jobs/1").ok());
  const auto left = objects_->List("");
  ASSERT_THAT(*left, SizeIs(1));
  EXPECT_EQ((*left)[0].key, "jobs/10/c");
}

}  // namespace
}  // namespace quantd
