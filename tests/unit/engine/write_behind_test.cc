#include "workers/engine/write_behind.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/memory_sink.h"

namespace quantd {
namespace {

absl::Status Append(FileSink& file, const std::string& text) {
  return file.Append(std::as_bytes(std::span(text)));
}

// Takes `room` bytes.
class SmallDisk final : public FileSink {
 public:
  explicit SmallDisk(size_t room) : room_(room) {}
  absl::Status Append(std::span<const std::byte> bytes) override {
    if (bytes.size() > room_) return absl::ResourceExhaustedError("the disk is full");
    room_ -= bytes.size();
    return absl::OkStatus();
  }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  size_t room_;
};

class WriteBehindTest : public testing::TestWithParam<size_t> {};

// Of sizes around those at which bytes are handed over.
INSTANTIATE_TEST_SUITE_P(Sizes, WriteBehindTest,
                         testing::Values(0, 1, kWriteBehindBytes / 2 - 1, kWriteBehindBytes / 2,
                                         kWriteBehindBytes / 2 + 1, 3 * kWriteBehindBytes, 20'000'001));

TEST_P(WriteBehindTest, TheFileHasAllBytesInOrder) {
  MemorySink sink;
  WriteBehind file(*sink.Create("file"));
  std::string all;
  for (size_t piece = 1; all.size() < GetParam(); piece = piece * 3 + 1) {
    std::string bytes(std::min(piece, GetParam() - all.size()), '\0');
    for (size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<char>((all.size() + i) * 2654435761 >> 13);
    ASSERT_TRUE(Append(file, bytes).ok());
    all += bytes;
  }
  ASSERT_TRUE(file.Close().ok());
  EXPECT_TRUE(sink.files().at("file") == all);
}

TEST(WriteBehind, AFileThatIsNotClosedDoesNotCount) {
  MemorySink sink;
  {
    WriteBehind file(*sink.Create("file"));
    ASSERT_TRUE(Append(file, std::string(kWriteBehindBytes, 'x')).ok());
  }
  EXPECT_TRUE(sink.files().empty());
}

TEST(WriteBehind, AnErrorIsToldWhenMoreComes) {
  WriteBehind file(std::make_unique<SmallDisk>(1));
  const std::string chunk(kWriteBehindBytes / 2, 'x');
  ASSERT_TRUE(Append(file, chunk).ok());
  EXPECT_EQ(Append(file, chunk).code(), absl::StatusCode::kResourceExhausted);
}

TEST(WriteBehind, AnErrorOfTheLastBytesIsToldByClose) {
  for (const size_t size : {size_t{2}, kWriteBehindBytes / 2, kWriteBehindBytes / 2 + 1}) {
    WriteBehind file(std::make_unique<SmallDisk>(size - 1));
    ASSERT_TRUE(Append(file, std::string(size, 'x')).ok());
    EXPECT_EQ(file.Close().code(), absl::StatusCode::kResourceExhausted) << size;
  }
}

}  // namespace
}  // namespace quantd
