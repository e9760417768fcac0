// safetensors files, read back by a parser of this test's own and by the project's reader.
#include "workers/formats/safetensors_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/checkpoint_builder.h"
#include "tests/support/memory_sink.h"
#include "tests/unit/formats/writer_test_tensors.h"
#include "workers/formats/safetensors_reader.h"

namespace quantd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

struct ParsedFile {
  Json header;
  std::string data;

  std::string Bytes(const std::string& name) const {
    const Json& offsets = header.at(name).at("data_offsets");
    return data.substr(offsets[0].get<size_t>(), offsets[1].get<size_t>() - offsets[0].get<size_t>());
  }
};

ParsedFile Parse(const std::string& bytes) {
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  EXPECT_EQ((length + 8) % 8, 0u) << "tensors begin at a multiple of eight bytes";
  return {Json::parse(bytes.substr(8, length)), bytes.substr(8 + length)};
}

// One tensor of three planes between two plain ones.
class SafetensorsWriterTest : public testing::Test {
 protected:
  SafetensorsWriterTest() {
    plan_.tensors = {Tensor("norm", "F32", {3}), Tensor("q", "MLX_I4_G32_F16", {2, 64}),
                     Tensor("z", "BF16", {2, 2})};
    entries_ = {{{"norm", "F32", {3}}},
                {{"q.weight", "U32", {2, 8}}, {"q.scales", "F16", {2, 2}}, {"q.biases", "F16", {2, 2}}},
                {{"z", "BF16", {2, 2}}}};
  }

  std::unique_ptr<ModelWriter> MakeWriter() const { return MakeSafetensorsWriter(plan_, entries_, "mlx"); }

  // Appends the planes of "q" in two tiles, plane after plane, as the pipeline does.
  std::string Write() {
    auto writer = MakeWriter();
    EXPECT_TRUE(writer->Begin(sink_).ok());
    EXPECT_TRUE(Append(*writer, 0, 0, "aaaabbbbcccc").ok());
    for (char tile : {'1', '2'}) {
      EXPECT_TRUE(Append(*writer, 1, 0, std::string(32, tile)).ok());
      EXPECT_TRUE(Append(*writer, 1, 1, std::string(4, static_cast<char>(tile + 2))).ok());
      EXPECT_TRUE(Append(*writer, 1, 2, std::string(4, static_cast<char>(tile + 4))).ok());
    }
    EXPECT_TRUE(Append(*writer, 2, 0, "zzzzzzzz").ok());
    EXPECT_TRUE(writer->Finish().ok());
    return sink_.files().at("model.safetensors");
  }

  OutputPlan plan_;
  std::vector<std::vector<SafetensorsEntry>> entries_;
  MemorySink sink_;
};

TEST_F(SafetensorsWriterTest, DescribesEveryPlane) {
  const ParsedFile file = Parse(Write());
  EXPECT_EQ(file.header.size(), 6u);
  EXPECT_EQ(file.header["__metadata__"], (Json{{"format", "mlx"}}));
  EXPECT_EQ(file.header["q.weight"]["dtype"], "U32");
  EXPECT_EQ(file.header["q.weight"]["shape"], Json::array({2, 8}));
  EXPECT_EQ(file.header["q.scales"]["dtype"], "F16");
  EXPECT_EQ(file.header["z"]["shape"], Json::array({2, 2}));
}

TEST_F(SafetensorsWriterTest, PutsPlanesThatArriveInTurnsOneBehindTheOther) {
  const ParsedFile file = Parse(Write());
  EXPECT_EQ(file.Bytes("norm"), "aaaabbbbcccc");
  EXPECT_EQ(file.Bytes("q.weight"), std::string(32, '1') + std::string(32, '2'));
  EXPECT_EQ(file.Bytes("q.scales"), "33334444");
  EXPECT_EQ(file.Bytes("q.biases"), "55556666");
  EXPECT_EQ(file.Bytes("z"), "zzzzzzzz");
}

TEST_F(SafetensorsWriterTest, LeavesNoGapsAndNothingBehind) {
  const ParsedFile file = Parse(Write());
  size_t end = 0;
  for (const char* name : {"norm", "q.weight", "q.scales", "q.biases", "z"}) {
    EXPECT_EQ(file.header[name]["data_offsets"][0], end) << name;
    end = file.header[name]["data_offsets"][1];
  }
  EXPECT_EQ(file.data.size(), end);
}

TEST_F(SafetensorsWriterTest, KnowsItsSizeBeforeItIsWritten) {
  const std::vector<FileSize> files = MakeWriter()->Files();
  ASSERT_THAT(files, SizeIs(1));
  EXPECT_EQ(files[0].path, "model.safetensors");
  EXPECT_EQ(files[0].bytes, static_cast<int64_t>(Write().size()));
}

TEST_F(SafetensorsWriterTest, PlainFilesOpenInTheReader) {
  plan_.tensors = {Tensor("b", "F32", {2}), Tensor("a", "F16", {1, 2})};
  entries_ = {{{"b", "F32", {2}}}, {{"a", "F16", {1, 2}}}};
  auto writer = MakeWriter();
  ASSERT_TRUE(writer->Begin(sink_).ok());
  ASSERT_TRUE(Append(*writer, 0, 0, "12345678").ok());
  ASSERT_TRUE(Append(*writer, 1, 0, "abcd").ok());
  ASSERT_TRUE(writer->Finish().ok());
  const CheckpointFiles files = OpenCheckpoint(sink_.files());
  const auto tensors = ReadSafetensorsCheckpoint(files);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_THAT(*tensors, SizeIs(2));
  EXPECT_EQ((*tensors)[0].name, "b");
  EXPECT_THAT((*tensors)[1].shape, ElementsAre(1, 2));
}

TEST_F(SafetensorsWriterTest, RefusesAnIncompletePlane) {
  for (size_t plane : {size_t{0}, size_t{1}, size_t{2}}) {
    MemorySink sink;
    auto writer = MakeWriter();
    ASSERT_TRUE(writer->Begin(sink).ok());
    ASSERT_TRUE(Append(*writer, 0, 0, "aaaabbbbcccc").ok());
    const size_t bytes[] = {64, 8, 8};
    for (size_t p = 0; p < 3; ++p)
      ASSERT_TRUE(Append(*writer, 1, p, std::string(bytes[p] - (p == plane ? 1 : 0), 'x')).ok());
    const absl::Status status = Append(*writer, 2, 0, "zzzzzzzz");
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("tensor q"), HasSubstr("not complete")));
  }
}

TEST_F(SafetensorsWriterTest, RefusesToLeaveATensorOut) {
  auto writer = MakeWriter();
  ASSERT_TRUE(writer->Begin(sink_).ok());
  ASSERT_TRUE(Append(*writer, 0, 0, "aaaabbbbcccc").ok());
  EXPECT_EQ(Append(*writer, 2, 0, "zzzzzzzz").code(), absl::StatusCode::kInternal);
  EXPECT_EQ(writer->Finish().code(), absl::StatusCode::kInternal);
  writer.reset();
  EXPECT_TRUE(sink_.files().empty());
}

// Only sizes are asked, so that nobody writes ten gigabytes.
TEST_F(SafetensorsWriterTest, SplitsIntoShardsOfAtMostFiveGibibytes) {
  plan_.tensors.clear();
  entries_.clear();
  constexpr int64_t kGibibyte = int64_t{1} << 30;
  for (int i = 0; i < 7; ++i) {
    const std::string name = "t" + std::to_string(i);
    plan_.tensors.push_back(Tensor(name, "F32", {2, kGibibyte / 4}));  // 2 GiB
    entries_.push_back({{name, "F32", {2, kGibibyte / 4}}});
  }
  const std::vector<FileSize> files = MakeWriter()->Files();
  ASSERT_THAT(files, SizeIs(5));
  EXPECT_EQ(files[0].path, "model-00001-of-00004.safetensors");
  EXPECT_EQ(files[3].path, "model-00004-of-00004.safetensors");
  EXPECT_EQ(files[4].path, "model.safetensors.index.json");
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(files[i].bytes / kGibibyte, 4);
  EXPECT_EQ(files[3].bytes / kGibibyte, 2);
}

TEST_F(SafetensorsWriterTest, ATensorLargerThanAShardHasOneOfItsOwn) {
  constexpr int64_t kGibibyte = int64_t{1} << 30;
  plan_.tensors = {Tensor("small", "F32", {1}), Tensor("large", "F32", {6, kGibibyte / 4}),
                   Tensor("tail", "F32", {1})};
  entries_ = {{{"small", "F32", {1}}}, {{"large", "F32", {6, kGibibyte / 4}}}, {{"tail", "F32", {1}}}};
  EXPECT_THAT(MakeWriter()->Files(), SizeIs(4));
}

}  // namespace
}  // namespace quantd
