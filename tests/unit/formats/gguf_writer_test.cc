// GGUF files as ggml-org/ggml's docs/gguf.md describes them, read back by a parser of this test's own.
#include "workers/formats/gguf_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "tests/support/memory_sink.h"
#include "tests/unit/formats/writer_test_tensors.h"

namespace quantd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

struct ParsedTensor {
  std::string name;
  std::vector<uint64_t> dimensions;  // innermost first
  uint32_t type;
  uint64_t offset;
};

struct ParsedFile {
  uint32_t version = 0;
  std::vector<std::pair<std::string, std::string>> metadata;  // "TYPE VALUE"
  std::vector<ParsedTensor> tensors;
  std::string data;
};

class Parser {
 public:
  explicit Parser(const std::string& bytes) : bytes_(bytes) {}

  ParsedFile Parse() {
    ParsedFile file;
    EXPECT_EQ(Take(4), "GGUF");
    file.version = Number<uint32_t>();
    const auto tensors = Number<uint64_t>(), keys = Number<uint64_t>();
    for (uint64_t i = 0; i < keys; ++i) {
      std::string key = Text();
      const auto type = Number<uint32_t>();
      file.metadata.emplace_back(std::move(key), Value(type));
    }
    for (uint64_t i = 0; i < tensors; ++i) {
      ParsedTensor tensor;
      tensor.name = Text();
      tensor.dimensions.resize(Number<uint32_t>());
      for (uint64_t& dimension : tensor.dimensions) dimension = Number<uint64_t>();
      tensor.type = Number<uint32_t>();
      tensor.offset = Number<uint64_t>();
      file.tensors.push_back(std::move(tensor));
    }
    while (at_ % 32 != 0) EXPECT_EQ(Take(1), std::string(1, '\0'));
    file.data = bytes_.substr(at_);
    return file;
  }

 private:
  std::string Take(size_t count) {
    EXPECT_LE(at_ + count, bytes_.size());
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  template <typename T>
  T Number() {
    T value;
    std::memcpy(&value, Take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string Text() { return Take(Number<uint64_t>()); }

  // The types' numbers are GGUF's.
  std::string Value(uint32_t type) {
    if (type == 4) return "u32 " + std::to_string(Number<uint32_t>());
    if (type == 5) return "i32 " + std::to_string(Number<int32_t>());
    if (type == 6) return "f32 " + std::to_string(Number<float>());
    if (type == 7) return "bool " + std::to_string(Number<uint8_t>());
    if (type == 8) return "string " + Text();
    EXPECT_EQ(type, 9u);
    const auto element = Number<uint32_t>();
    std::string values = "array";
    for (auto left = Number<uint64_t>(); left > 0; --left) values += ", " + Value(element);
    return values;
  }

  const std::string& bytes_;
  size_t at_ = 0;
};

// Bytes that say which tensor they belong to.
std::string Content(const OutputTensor& tensor, char letter) {
  return std::string(static_cast<size_t>(tensor.bytes()), letter);
}

absl::Status Append(ModelWriter& writer, size_t tensor, std::string_view bytes) {
  return writer.Append(tensor, 0, std::as_bytes(std::span(bytes)));
}

class GgufWriterTest : public testing::Test {
 protected:
  GgufWriterTest() {
    plan_.tensors = {Tensor("a.weight", "Q4_K", {3, 256}), Tensor("b.weight", "F32", {5}),
                     Tensor("c.weight", "Q8_0", {2, 2, 32}), Tensor("d.weight", "BF16", {1, 7})};
  }

  // The whole file, with each tensor's bytes appended in pieces.
  std::string Write() {
    auto writer = MakeGgufWriter(plan_, metadata_, "model.gguf");
    EXPECT_TRUE(writer->Begin(sink_).ok());
    for (size_t t = 0; t < plan_.tensors.size(); ++t) {
      const std::string content = Content(plan_.tensors[t], static_cast<char>('a' + t));
      EXPECT_TRUE(Append(*writer, t, content.substr(0, 5)).ok());
      EXPECT_TRUE(Append(*writer, t, content.substr(5)).ok());
    }
    EXPECT_TRUE(sink_.files().empty()) << "a file counts only when it is complete";
    EXPECT_TRUE(writer->Finish().ok());
    return sink_.files().at("model.gguf");
  }

  OutputPlan plan_;
  GgufMetadata metadata_;
  MemorySink sink_;
};

TEST_F(GgufWriterTest, HasVersionThree) { EXPECT_EQ(Parser(Write()).Parse().version, 3u); }

TEST_F(GgufWriterTest, KeepsMetadataOfEveryTypeInOrder) {
  metadata_ = {{"z.number", uint32_t{7}},
               {"a.signed", int32_t{-7}},
               {"float", 0.5f},
               {"yes", true},
               {"no", false},
               {"text", std::string("a\0b", 3)},
               {"empty", std::string()},
               {"texts", std::vector<std::string>{"x", ""}},
               {"floats", std::vector<float>{1.0f, -1.0f}},
               {"numbers", std::vector<int32_t>{-1, 2}},
               {"none", std::vector<std::string>{}}};
  const ParsedFile file = Parser(Write()).Parse();
  const std::pair<std::string, std::string> expected[] = {{"z.number", "u32 7"},
                                                          {"a.signed", "i32 -7"},
                                                          {"float", "f32 0.500000"},
                                                          {"yes", "bool 1"},
                                                          {"no", "bool 0"},
                                                          {"text", std::string("string a\0b", 10)},
                                                          {"empty", "string "},
                                                          {"texts", "array, string x, string "},
                                                          {"floats", "array, f32 1.000000, f32 -1.000000"},
                                                          {"numbers", "array, i32 -1, i32 2"},
                                                          {"none", "array"}};
  EXPECT_THAT(file.metadata, testing::ElementsAreArray(expected));
}

TEST_F(GgufWriterTest, DescribesTensorsWithTheInnermostDimensionFirst) {
  const ParsedFile file = Parser(Write()).Parse();
  ASSERT_THAT(file.tensors, SizeIs(4));
  EXPECT_EQ(file.tensors[0].name, "a.weight");
  EXPECT_THAT(file.tensors[0].dimensions, ElementsAre(256u, 3u));
  EXPECT_THAT(file.tensors[1].dimensions, ElementsAre(5u));
  EXPECT_THAT(file.tensors[2].dimensions, ElementsAre(32u, 2u, 2u));
  EXPECT_THAT(file.tensors[3].dimensions, ElementsAre(7u, 1u));
}

TEST_F(GgufWriterTest, NumbersTypesAsGgmlDoes) {
  const std::map<std::string, uint32_t> numbers = {
      {"F32", 0},   {"F16", 1},   {"Q4_0", 2},  {"Q4_1", 3},  {"Q5_0", 6},  {"Q5_1", 7}, {"Q8_0", 8},
      {"Q2_K", 10}, {"Q3_K", 11}, {"Q4_K", 12}, {"Q5_K", 13}, {"Q6_K", 14}, {"BF16", 30}};
  plan_.tensors.clear();
  for (const auto& [name, number] : numbers) plan_.tensors.push_back(Tensor(name, name.c_str(), {256}));
  const ParsedFile file = Parser(Write()).Parse();
  ASSERT_THAT(file.tensors, SizeIs(numbers.size()));
  for (const ParsedTensor& tensor : file.tensors)
    EXPECT_EQ(tensor.type, numbers.at(tensor.name)) << tensor.name;
}

TEST_F(GgufWriterTest, AlignsEveryTensorAndPadsWithZeros) {
  const ParsedFile file = Parser(Write()).Parse();
  uint64_t end = 0;
  for (size_t t = 0; t < file.tensors.size(); ++t) {
    const uint64_t offset = file.tensors[t].offset;
    EXPECT_EQ(offset % 32, 0u);
    ASSERT_GE(offset, end);
    EXPECT_LT(offset - end, 32u) << "no more padding than the alignment needs";
    EXPECT_EQ(file.data.substr(end, offset - end), std::string(offset - end, '\0'));
    const std::string content = Content(plan_.tensors[t], static_cast<char>('a' + t));
    EXPECT_EQ(file.data.substr(offset, content.size()), content);
    end = offset + content.size();
  }
  EXPECT_EQ(file.data.size() % 32, 0u);
  EXPECT_EQ(file.data.substr(end), std::string(file.data.size() - end, '\0'));
}

TEST_F(GgufWriterTest, KnowsItsSizeBeforeItIsWritten) {
  metadata_ = {{"general.name", std::string("x")}};
  const std::vector<FileSize> files = MakeGgufWriter(plan_, metadata_, "model.gguf")->Files();
  ASSERT_THAT(files, SizeIs(1));
  EXPECT_EQ(files[0].path, "model.gguf");
  EXPECT_EQ(files[0].bytes, static_cast<int64_t>(Write().size()));
}

TEST_F(GgufWriterTest, RefusesBytesThatAreNotThePlans) {
  const std::string first = Content(plan_.tensors[0], 'a');
  struct Case {
    const char* what;
    size_t bytes;
    size_t next;
  };
  for (const Case& wrong :
       {Case{"too few bytes", first.size() - 1, 1}, Case{"a tensor left out", first.size(), 2},
        Case{"too many bytes", first.size() + 1, 1}}) {
    MemorySink sink;
    auto writer = MakeGgufWriter(plan_, metadata_, "model.gguf");
    ASSERT_TRUE(writer->Begin(sink).ok());
    ASSERT_TRUE(Append(*writer, 0, std::string(wrong.bytes, 'a')).ok());
    const absl::Status status = Append(*writer, wrong.next, "b");
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << wrong.what;
    EXPECT_THAT(std::string(status.message()), HasSubstr("a.weight"));
    writer.reset();
    EXPECT_TRUE(sink.files().empty());
  }
}

TEST_F(GgufWriterTest, RefusesToFinishBeforeTheLastTensor) {
  auto writer = MakeGgufWriter(plan_, metadata_, "model.gguf");
  ASSERT_TRUE(writer->Begin(sink_).ok());
  ASSERT_TRUE(Append(*writer, 0, Content(plan_.tensors[0], 'a')).ok());
  EXPECT_EQ(writer->Finish().code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(sink_.files().empty());
}

}  // namespace
}  // namespace quantd
