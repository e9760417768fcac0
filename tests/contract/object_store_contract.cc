#include "tests/contract/object_store_contract.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

namespace quantd {
namespace {

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

}  // namespace

void ObjectStoreContract::SetUp() {
  folder_ = testing::TempDir() + "/object_store_XXXXXX";
  ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
  Reopen();
}

void ObjectStoreContract::TearDown() {
  store_.reset();
  std::filesystem::remove_all(folder_);
}

absl::Status ObjectStoreContract::Put(const std::string& key, const std::string& content) {
  auto writer = store_->Create(key);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = (*writer)->Append(Bytes(content)); !status.ok()) return status;
  return (*writer)->Commit();
}

std::string ObjectStoreContract::Get(const std::string& key) {
  auto file = store_->OpenForRead(key);
  if (!file.ok()) return std::string(absl::StatusCodeToString(file.status().code()));
  return *ReadAll(**file, 1 << 20);
}

void ObjectStoreContract::RunAndKill(const std::function<void()>& work) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    work();
    if (!HasFailure()) ::raise(SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
}

TEST_P(ObjectStoreContract, AnObjectIsVisibleAfterItsCommitOnly) {
  auto writer = store_->Create("a/b/c");
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append(Bytes("hello ")).ok());
  EXPECT_EQ(Get("a/b/c"), "NOT_FOUND");
  EXPECT_TRUE(store_->List("a")->empty());
  ASSERT_TRUE((*writer)->Append(Bytes("world")).ok());
  ASSERT_TRUE((*writer)->Commit().ok());
  EXPECT_EQ(Get("a/b/c"), "hello world");
  EXPECT_EQ(store_->Stat("a/b/c")->size, 11u);
}

TEST_P(ObjectStoreContract, AWriterThatIsDroppedLeavesNothing) {
  ASSERT_TRUE((*store_->Create("a"))->Append(Bytes("x")).ok());
  EXPECT_EQ(Get("a"), "NOT_FOUND");
  EXPECT_EQ(store_->Stat("a").status().code(), absl::StatusCode::kNotFound);
}

TEST_P(ObjectStoreContract, TheLastCommitWinsAndReadersKeepWhatTheyOpened) {
  ASSERT_TRUE(Put("a", "old").ok());
  auto open = store_->OpenForRead("a");
  ASSERT_TRUE(Put("a", "newer").ok());
  const absl::StatusOr<std::string> old = ReadAll(**open, 100);
  if (GetParam().keeps_what_is_open) {
    EXPECT_EQ(*old, "old");
  } else {
    EXPECT_EQ(old.status().code(), absl::StatusCode::kAborted);
  }
  EXPECT_EQ(Get("a"), "newer");
}

TEST_P(ObjectStoreContract, AnObjectThatIsRemovedWhileItIsOpen) {
  ASSERT_TRUE(Put("a", "old").ok());
  auto open = store_->OpenForRead("a");
  ASSERT_TRUE(store_->Remove("a").ok());
  const absl::StatusOr<std::string> old = ReadAll(**open, 100);
  if (GetParam().keeps_what_is_open) {
    EXPECT_EQ(*old, "old");
  } else {
    EXPECT_EQ(old.status().code(), absl::StatusCode::kNotFound);
  }
}

TEST_P(ObjectStoreContract, ReadsAnyRangeAndNothingBeyondTheEnd) {
  ASSERT_TRUE(Put("a", "0123456789").ok());
  auto file = *store_->OpenForRead("a");
  std::string three(3, '\0');
  ASSERT_TRUE(file->ReadAt(4, std::as_writable_bytes(std::span(three))).ok());
  EXPECT_EQ(three, "456");
  EXPECT_EQ(file->ReadAt(8, std::as_writable_bytes(std::span(three))).code(), absl::StatusCode::kOutOfRange);
  file->WillRead(8, 1000);
  file->WillRead(100, 1);
  EXPECT_TRUE(file->ReadAt(10, {}).ok());
}

TEST_P(ObjectStoreContract, KeepsEmptyObjectsAndUnusualKeys) {
  const std::vector<std::string> keys = {"a b+c%20&d=e", "empty", "füße/模型", "quote\"<>'"};
  for (const std::string& key : keys) ASSERT_TRUE(Put(key, key == "empty" ? "" : key).ok()) << key;
  std::vector<std::string> listed;
  const auto all = store_->List("");
  for (const ObjectInfo& object : *all) listed.push_back(object.key);
  EXPECT_EQ(listed, keys);
  for (const std::string& key : keys) EXPECT_EQ(Get(key), key == "empty" ? "" : key);
}

TEST_P(ObjectStoreContract, ListsBelowAPrefixInOrder) {
  for (const char* key : {"p/2", "p/1", "p/sub/3", "pq/4"}) ASSERT_TRUE(Put(key, "x").ok());
  std::vector<std::string> keys;
  const auto below = store_->List("p");
  for (const ObjectInfo& object : *below) keys.push_back(object.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"p/1", "p/2", "p/sub/3"}));
  EXPECT_EQ(store_->List("")->size(), 4u);
  EXPECT_TRUE(store_->List("none")->empty());
}

TEST_P(ObjectStoreContract, RemovesAndToleratesWhatIsGone) {
  ASSERT_TRUE(Put("a/b", "x").ok());
  EXPECT_TRUE(store_->Remove("a/b").ok());
  EXPECT_TRUE(store_->Remove("a/b").ok());
  EXPECT_EQ(Get("a/b"), "NOT_FOUND");
}

TEST_P(ObjectStoreContract, RefusesKeysThatClimb) {
  for (const char* key : {"", "/a", "../a", "a/../../b"}) {
    EXPECT_EQ(store_->Create(key).status().code(), absl::StatusCode::kInvalidArgument) << key;
    EXPECT_EQ(store_->OpenForRead(key).status().code(), absl::StatusCode::kInvalidArgument) << key;
    EXPECT_EQ(store_->Remove(key).code(), absl::StatusCode::kInvalidArgument) << key;
  }
  EXPECT_EQ(store_->ResumeUpload("a/b").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(ObjectStoreContract, AnUploadGoesOnAfterAReopen) {
  auto upload = store_->ResumeUpload("id");
  ASSERT_TRUE(upload.ok()) << upload.status();
  EXPECT_EQ((*upload)->durable_size(), 0u);
  ASSERT_TRUE((*upload)->Append(Bytes("hello ")).ok());
  EXPECT_EQ((*upload)->durable_size(), 0u);
  ASSERT_TRUE((*upload)->Sync().ok());
  EXPECT_EQ((*upload)->durable_size(), 6u);
  upload->reset();
  Reopen();
  upload = store_->ResumeUpload("id");
  EXPECT_EQ((*upload)->durable_size(), 6u);
  ASSERT_TRUE((*upload)->Append(Bytes("world")).ok());
  EXPECT_EQ(*ReadAll(**(*upload)->ReadBack(), 100), "hello world");
  ASSERT_TRUE((*upload)->Commit("blobs/x").ok());
  EXPECT_EQ(Get("blobs/x"), "hello world");
  EXPECT_EQ((*store_->ResumeUpload("id"))->durable_size(), 0u);
}

TEST_P(ObjectStoreContract, ADiscardedUploadBeginsAgain) {
  auto upload = store_->ResumeUpload("id");
  ASSERT_TRUE((*upload)->Append(Bytes("x")).ok());
  ASSERT_TRUE((*upload)->Discard().ok());
  EXPECT_EQ((*store_->ResumeUpload("id"))->durable_size(), 0u);
}

TEST_P(ObjectStoreContract, AProcessKilledWhileItWritesLeavesNothingVisible) {
  ASSERT_TRUE(Put("half", "whole").ok());
  std::unique_ptr<ObjectWriter> writer;
  RunAndKill([&] {
    writer = *store_->Create("half");
    ASSERT_TRUE(writer->Append(Bytes("half-written")).ok());
    ASSERT_TRUE((*store_->Create("other"))->Append(Bytes("x")).ok());
  });
  Reopen();
  EXPECT_EQ(Get("half"), "whole");
  EXPECT_EQ(store_->List("")->size(), 1u);
}

TEST_P(ObjectStoreContract, AProcessKilledAfterASyncLosesNothingBeforeIt) {
  if (!GetParam().outlives_process) GTEST_SKIP() << "the store ends with its process";
  std::unique_ptr<ResumableUpload> upload;
  RunAndKill([&] {
    upload = *store_->ResumeUpload("id");
    ASSERT_TRUE(upload->Append(Bytes("hello ")).ok());
    ASSERT_TRUE(upload->Sync().ok());
    ASSERT_TRUE(Put("committed", "object").ok());
  });
  Reopen();
  EXPECT_EQ(Get("committed"), "object");
  upload = *store_->ResumeUpload("id");
  ASSERT_EQ(upload->durable_size(), 6u);
  ASSERT_TRUE(upload->Append(Bytes("world")).ok());
  ASSERT_TRUE(upload->Commit("blobs/x").ok());
  EXPECT_EQ(Get("blobs/x"), "hello world");
}

TEST_P(ObjectStoreContract, TellsAnUploadsSizeWithoutBeginningIt) {
  EXPECT_EQ(*store_->UploadSize("id"), 0u);
  auto upload = store_->ResumeUpload("id");
  ASSERT_TRUE((*upload)->Append(Bytes("hello")).ok());
  ASSERT_TRUE((*upload)->Sync().ok());
  EXPECT_EQ(*store_->UploadSize("id"), 5u);
  EXPECT_EQ(store_->UploadSize("a/b").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(ObjectStoreContract, ListsAndDiscardsUploads) {
  EXPECT_TRUE(store_->ListUploads()->empty());
  ASSERT_TRUE((*store_->ResumeUpload("b"))->Append(Bytes("x")).ok());
  ASSERT_TRUE((*store_->ResumeUpload("a"))->Append(Bytes("y")).ok());
  EXPECT_EQ(*store_->ListUploads(), (std::vector<std::string>{"a", "b"}));
  ASSERT_TRUE(store_->DiscardUpload("a").ok());
  ASSERT_TRUE(store_->DiscardUpload("a").ok());
  EXPECT_EQ(*store_->ListUploads(), (std::vector<std::string>{"b"}));
  EXPECT_EQ(store_->DiscardUpload("../b").code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(ObjectStoreContract, CommitsWhileTheFoldersLastObjectIsRemoved) {
  std::thread remover([&] {
    for (int i = 0; i < GetParam().race_rounds; ++i) {
      EXPECT_TRUE(Put("folder/sub/one", "x").ok());
      EXPECT_TRUE(store_->Remove("folder/sub/one").ok());
    }
  });
  for (int i = 0; i < GetParam().race_rounds; ++i) {
    ASSERT_TRUE(Put("folder/sub/two", "y").ok());
    ASSERT_EQ(Get("folder/sub/two"), "y");
    ASSERT_TRUE(store_->Remove("folder/sub/two").ok());
  }
  remover.join();
}

TEST_P(ObjectStoreContract, TellsHowMuchFits) { EXPECT_GT(store_->FreeBytes()->value_or(1), 0u); }

}  // namespace quantd
