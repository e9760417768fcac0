#include "workers/formats/importance_matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

namespace quantd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class BytesFile final : public RandomAccessFile {
 public:
  explicit BytesFile(std::string bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  absl::Status ReadAt(uint64_t offset, std::span<std::byte> to) const override {
    if (offset > bytes_.size() || to.size() > bytes_.size() - offset)
      return absl::OutOfRangeError("past the end");
    std::memcpy(to.data(), bytes_.data() + offset, to.size());
    return absl::OkStatus();
  }

 private:
  std::string bytes_;
};

template <typename T>
void Append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AppendEntry(std::string& bytes, const std::string& name, int32_t calls,
                 const std::vector<float>& columns) {
  Append(bytes, static_cast<int32_t>(name.size()));
  bytes += name;
  Append(bytes, calls);
  Append(bytes, static_cast<int32_t>(columns.size()));
  for (float column : columns) Append(bytes, column);
}

std::string TwoEntries() {
  std::string bytes;
  Append(bytes, int32_t{2});
  AppendEntry(bytes, "blk.0.attn_q.weight", 4, {2.0f, 8.0f});
  AppendEntry(bytes, "output.weight", 0, {3.0f});
  return bytes;
}

TEST(ImportanceMatrix, DividesTheLegacyFormsSumsByTheCalls) {
  std::string bytes = TwoEntries();
  Append(bytes, int32_t{120});
  Append(bytes, int32_t{4});
  bytes += "wiki";
  const auto matrix = ReadImportanceMatrix(BytesFile(bytes));
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_THAT(*matrix->columns.at("blk.0.attn_q.weight"), ElementsAre(0.5f, 2.0f));
  EXPECT_THAT(*matrix->columns.at("output.weight"), ElementsAre(3.0f)) << "never called: as it is";
  EXPECT_THAT(matrix->datasets, ElementsAre("wiki"));
  EXPECT_EQ(matrix->chunks, 120);
}

TEST(ImportanceMatrix, OldFilesEndAfterTheEntries) {
  const auto matrix = ReadImportanceMatrix(BytesFile(TwoEntries()));
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_EQ(matrix->columns.size(), 2u);
  EXPECT_EQ(matrix->chunks, 0);
}

TEST(ImportanceMatrix, RefusesAFileThatEndsInAnEntry) {
  const std::string bytes = TwoEntries();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(ReadImportanceMatrix(BytesFile(bytes.substr(0, size))).status().code(),
              absl::StatusCode::kInvalidArgument)
        << size;
  }
}

TEST(ImportanceMatrix, RefusesNumbersThatAreNoImportance) {
  for (float bad : {-1.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::string bytes;
    Append(bytes, int32_t{1});
    AppendEntry(bytes, "output.weight", 1, {1.0f, bad});
    EXPECT_THAT(std::string(ReadImportanceMatrix(BytesFile(bytes)).status().message()),
                HasSubstr("output.weight"));
  }
}

// A number of columns that the file does not bear must not be allocated.
TEST(ImportanceMatrix, RefusesCountsBeyondTheFile) {
  std::string bytes;
  Append(bytes, int32_t{1});
  Append(bytes, int32_t{1});
  bytes += "a";
  Append(bytes, int32_t{1});
  Append(bytes, std::numeric_limits<int32_t>::max());
  EXPECT_EQ(ReadImportanceMatrix(BytesFile(bytes)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ImportanceMatrix, SurvivesRandomDamage) {
  std::mt19937 random(5);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = TwoEntries();
    for (int damage = 0; damage < 3; ++damage) bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto matrix = ReadImportanceMatrix(BytesFile(bytes));
    EXPECT_TRUE(matrix.ok() || matrix.status().code() == absl::StatusCode::kInvalidArgument)
        << matrix.status();
  }
}

}  // namespace
}  // namespace quantd
