#include "base/random_access_file.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>

namespace quantd {
namespace {

std::string Read(const RandomAccessFile& file, uint64_t offset, size_t length) {
  std::string out(length, '\0');
  absl::Status status = file.ReadAt(offset, std::as_writable_bytes(std::span(out)));
  return status.ok() ? out : std::string(absl::StatusCodeToString(status.code()));
}

TEST(MemoryFile, ReadsRangesInsideAndRefusesOthers) {
  auto file = MakeMemoryFile("abcdef");
  EXPECT_EQ(file->size(), 6u);
  EXPECT_EQ(Read(*file, 2, 3), "cde");
  EXPECT_EQ(Read(*file, 6, 0), "");
  EXPECT_EQ(Read(*file, 4, 3), "OUT_OF_RANGE");
  EXPECT_EQ(Read(*file, ~uint64_t{0}, 2), "OUT_OF_RANGE");
}

TEST(LocalFile, ReadsWhatTheDiskHolds) {
  std::string path = testing::TempDir() + "/random_access_file_test";
  std::ofstream(path) << "hello world";
  auto file = OpenLocalFile(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(Read(**file, 6, 5), "world");
  EXPECT_EQ(Read(**file, 6, 6), "OUT_OF_RANGE");
  std::remove(path.c_str());
}

TEST(LocalFile, IsNotFoundOrNotAFile) {
  EXPECT_EQ(OpenLocalFile("/nonexistent/file").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(OpenLocalFile("/tmp").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ReadAll, HasALimit) {
  auto file = MakeMemoryFile("abcdef");
  EXPECT_EQ(*ReadAll(*file, 6), "abcdef");
  EXPECT_EQ(ReadAll(*file, 5).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quantd
