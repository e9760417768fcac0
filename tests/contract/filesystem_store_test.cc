#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "storage/objects/open_store.h"
#include "tests/contract/object_store_contract.h"

namespace quantd {
namespace {

const StoreUnderTest kFilesystem = {
    "Filesystem", [](const std::string& folder) { return *OpenObjectStore("file:" + folder + "/store"); }};

INSTANTIATE_TEST_SUITE_P(Stores, ObjectStoreContract, testing::Values(kFilesystem),
                         [](const auto& test) { return test.param.name; });

// What a dead writer left takes no room; what a living one writes stays, also in the eyes of another process.
TEST(FilesystemStore, RemovesWhatNobodyWritesAnyMore) {
  std::string folder = testing::TempDir() + "/filesystem_store_XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  auto store = *OpenObjectStore("file:" + folder);
  // Of a process with the number that every container's first process has.
  std::ofstream(folder + "/temporary/1-left") << "left";
  auto writer = *store->Create("a");
  ASSERT_TRUE(writer->Append(std::as_bytes(std::span("x", 1))).ok());
  auto again = *OpenObjectStore("file:" + folder);
  EXPECT_FALSE(std::filesystem::exists(folder + "/temporary/1-left"));
  ASSERT_TRUE(writer->Commit().ok());
  EXPECT_EQ(again->Stat("a")->size, 1u);
  std::filesystem::remove_all(folder);
}

// Somebody removes the folder of a store that was given as a relative path.
TEST(FilesystemStore, AStoreThatIsRemovedUnderAWriterIsAnError) {
  std::string folder = testing::TempDir() + "/filesystem_store_XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  auto store = *OpenObjectStore("file:store");
  auto writer = *store->Create("a");
  std::filesystem::remove_all("store");
  EXPECT_EQ(writer->Commit().code(), absl::StatusCode::kNotFound);
  std::filesystem::current_path(before);
  std::filesystem::remove_all(folder);
}

// RLIMIT_FSIZE stands in for a full disk: a write goes in part, the next fails.
TEST(FilesystemStore, AnAppendThatFailsLeavesNoPartBehind) {
  std::string folder = testing::TempDir() + "/filesystem_store_XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  auto store = *OpenObjectStore("file:" + folder);
  auto upload = *store->ResumeUpload("id");
  const std::string bytes(1000, 'x');
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {1500, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const absl::Status first = upload->Append(std::as_bytes(std::span(bytes)));
  const absl::Status second = upload->Append(std::as_bytes(std::span(bytes)));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  EXPECT_TRUE(first.ok()) << first;
  EXPECT_FALSE(second.ok());
  EXPECT_EQ(*store->UploadSize("id"), 1000u);
  std::filesystem::remove_all(folder);
}

TEST(OpenObjectStore, RefusesUnknownSchemes) {
  EXPECT_EQ(OpenObjectStore("ftp://x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenObjectStore("file:").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quantd
