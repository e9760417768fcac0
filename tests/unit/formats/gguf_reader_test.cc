#include "workers/formats/gguf_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/gguf_builder.h"

namespace quantd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr uint32_t kF32 = 0, kQ4_0 = 2, kI32 = 26;

absl::StatusOr<GgufFile> Read(const std::string& bytes) { return ReadGgufHeader(*MakeMemoryFile(bytes)); }

std::string Error(const std::string& bytes) {
  const absl::StatusOr<GgufFile> file = Read(bytes);
  EXPECT_FALSE(file.ok());
  return std::string(file.status().message());
}

std::string Floats(size_t count) { return std::string(count * sizeof(float), '\0'); }

TEST(GgufReader, ReadsKeysOfEveryTypeInTheirOrder) {
  GgufBuilder builder;
  builder.Raw("u8", 0, LittleEndian(uint8_t{200})).Raw("i8", 1, LittleEndian(int8_t{-3}));
  builder.Raw("u16", 2, LittleEndian(uint16_t{60000})).Raw("i16", 3, LittleEndian(int16_t{-300}));
  builder.Uint32("u32", 7).Raw("i32", 5, LittleEndian(int32_t{-7})).Float("f32", 1.5f).Bool("bool", true);
  builder.Text("text", "GGUF").Raw("u64", 10, LittleEndian(uint64_t{1} << 40));
  builder.Raw("i64", 11, LittleEndian(int64_t{-1})).Raw("f64", 12, LittleEndian(0.25));
  builder.Texts("texts", {"a", "", "c"}).Int32s("int32s", {1, -2});
  builder.Raw("u16s", 9, LittleEndian(uint32_t{2}) + LittleEndian(uint64_t{2}) + "abcd");
  const auto file = Read(builder.Build());
  ASSERT_TRUE(file.ok()) << file.status();
  const GgufMetadata expected = {{"u8", uint8_t{200}},
                                 {"i8", int8_t{-3}},
                                 {"u16", uint16_t{60000}},
                                 {"i16", int16_t{-300}},
                                 {"u32", uint32_t{7}},
                                 {"i32", int32_t{-7}},
                                 {"f32", 1.5f},
                                 {"bool", true},
                                 {"text", std::string("GGUF")},
                                 {"u64", uint64_t{1} << 40},
                                 {"i64", int64_t{-1}},
                                 {"f64", 0.25},
                                 {"texts", std::vector<std::string>{"a", "", "c"}},
                                 {"int32s", std::vector<int32_t>{1, -2}},
                                 {"u16s", GgufPackedArray{GgufType::kUint16, "abcd"}}};
  EXPECT_EQ(file->metadata, expected);
}

TEST(GgufReader, GivesTensorsInTheOrderOfTheirBytesWithTheOutermostDimensionFirst) {
  GgufBuilder builder;
  builder.TensorAt("second", kQ4_0, {64, 2}, 64).TensorAt("first", kF32, {3}, 0);
  const std::string bytes = builder.Build() + std::string(64 + 72, '\0');
  const auto file = Read(bytes);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_THAT(file->tensors, SizeIs(2));
  EXPECT_EQ(file->tensors[0].name, "first");
  EXPECT_THAT(file->tensors[1].shape, ElementsAre(2, 64));
  EXPECT_EQ(file->tensors[1].bytes, 72u);
  EXPECT_EQ(file->tensors[1].offset + 72, bytes.size());
}

TEST(GgufReader, TakesVersionTwoAndAnotherAlignment) {
  GgufBuilder builder;
  builder.version = 2;
  builder.Uint32("general.alignment", 64).TensorAt("a", kF32, {1}, 0);
  EXPECT_TRUE(Read(builder.Build() + std::string(128, '\0')).ok());
}

TEST(GgufReader, RefusesOtherFilesAndVersions) {
  EXPECT_THAT(Error("GGML nothing here that is long enough"), HasSubstr("no GGUF file"));
  EXPECT_THAT(Error(""), HasSubstr("end of the file"));
  GgufBuilder builder;
  builder.version = 1;
  EXPECT_THAT(Error(builder.Build()), HasSubstr("version 1"));
  builder.version = 0x03000000;
  EXPECT_THAT(Error(builder.Build()), HasSubstr("big-endian"));
}

TEST(GgufReader, RefusesCountsThatTheFileDoesNotBear) {
  GgufBuilder builder;
  builder.claimed_keys = ~uint64_t{1};
  EXPECT_THAT(Error(builder.Build()), HasSubstr("keys"));
  builder.claimed_keys = 3;
  EXPECT_THAT(Error(builder.Build()), HasSubstr("end of the file"));
  EXPECT_THAT(Error(GgufBuilder().Raw("big", 8, LittleEndian(~uint64_t{0})).Build()),
              AllOf(HasSubstr("key big"), HasSubstr("text")));
  for (uint32_t element : {5u, 8u}) {
    const std::string claim = LittleEndian(element) + LittleEndian(uint64_t{1} << 60);
    EXPECT_THAT(Error(GgufBuilder().Raw("big", 9, claim).Build()),
                AllOf(HasSubstr("key big"), HasSubstr("array")));
  }
}

TEST(GgufReader, RefusesUnknownTypesAndKeysThatOccurTwice) {
  EXPECT_THAT(Error(GgufBuilder().Raw("odd", 13, "xxxxxxxx").Build()), HasSubstr("key odd"));
  EXPECT_THAT(
      Error(GgufBuilder().Raw("nested", 9, LittleEndian(uint32_t{9}) + LittleEndian(uint64_t{0})).Build()),
      HasSubstr("key nested"));
  EXPECT_THAT(Error(GgufBuilder().Bool("a", true).Bool("a", true).Build()), HasSubstr("key a occurs twice"));
  EXPECT_THAT(Error(GgufBuilder().Uint32("general.alignment", 24).Build()), HasSubstr("general.alignment"));
}

TEST(GgufReader, RefusesTensorsThatCanNotBe) {
  const auto error = [](const std::vector<uint64_t>& shape, uint32_t type, uint64_t offset) {
    return Error(GgufBuilder().TensorAt("w", type, shape, offset).Build() + std::string(64, '\0'));
  };
  EXPECT_THAT(error({17}, kF32, 0), AllOf(HasSubstr("tensor w"), HasSubstr("end of the file")));
  EXPECT_THAT(error({4}, kF32, ~uint64_t{31}), HasSubstr("end of the file"));
  EXPECT_THAT(error({4}, kF32, 8), HasSubstr("aligned"));
  EXPECT_THAT(error({uint64_t{1} << 40, uint64_t{1} << 40}, kF32, 0), HasSubstr("overflows"));
  EXPECT_THAT(error({~uint64_t{0}}, kF32, 0), HasSubstr("dimension"));
  EXPECT_THAT(error({}, kF32, 0), HasSubstr("0 dimensions"));
  EXPECT_THAT(error({1, 1, 1, 1, 1}, kF32, 0), HasSubstr("5 dimensions"));
  EXPECT_THAT(error({0}, kF32, 0), HasSubstr("dimension"));
  EXPECT_THAT(error({33}, kQ4_0, 0), HasSubstr("33 weights"));
  EXPECT_THAT(error({32}, kI32, 0), AllOf(HasSubstr("type I32"), HasSubstr("only 16- and 32-bit floats")));
  EXPECT_THAT(error({32}, 4711, 0), HasSubstr("4711"));
}

TEST(GgufReader, RefusesTensorsThatOverlapOrOccurTwice) {
  const std::string data(128, '\0');
  EXPECT_THAT(Error(GgufBuilder().TensorAt("a", kF32, {16}, 0).TensorAt("b", kF32, {4}, 32).Build() + data),
              HasSubstr("tensor b overlaps"));
  EXPECT_THAT(Error(GgufBuilder().TensorAt("a", kF32, {4}, 0).TensorAt("a", kF32, {4}, 32).Build() + data),
              HasSubstr("tensor a is described twice"));
}

TEST(GgufReader, EveryTruncationOfAFileIsRefused) {
  GgufBuilder builder;
  builder.Text("general.architecture", "llama").Texts("t", {"a", "b"}).Tensor("w", kF32, {4}, Floats(4));
  const std::string whole = builder.Build();
  ASSERT_TRUE(Read(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(Read(whole.substr(0, size)).ok()) << size;
}

std::string Part(uint16_t number, uint16_t count, const std::string& tensor) {
  GgufBuilder builder;
  if (number == 0) builder.Text("general.architecture", "llama");
  builder.Raw("split.no", 2, LittleEndian(number)).Raw("split.count", 2, LittleEndian(count));
  return builder.Tensor(tensor, kF32, {4}, Floats(4)).Build();
}

CheckpointFiles Files(const std::vector<std::pair<std::string, std::string>>& contents) {
  CheckpointFiles files;
  for (const auto& [path, bytes] : contents) files.Add(path, MakeMemoryFile(bytes));
  return files;
}

TEST(GgufCheckpoint, PartsAreOneModelWithoutTheKeysOfTheSplit) {
  const CheckpointFiles files =
      Files({{"m-00001-of-00002.gguf", Part(0, 2, "a")}, {"m-00002-of-00002.gguf", Part(1, 2, "b")}});
  const auto whole = ReadGgufCheckpoint(files);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_THAT(whole->metadata, SizeIs(1));
  ASSERT_THAT(whole->tensors, SizeIs(2));
  EXPECT_EQ(whole->tensors[1].path, "m-00002-of-00002.gguf");
}

TEST(GgufCheckpoint, RefusesPartsThatAreMissingOrOfSeveralModels) {
  const auto error = [](const CheckpointFiles& files) {
    const auto whole = ReadGgufCheckpoint(files);
    EXPECT_EQ(whole.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(whole.status().message());
  };
  EXPECT_THAT(error(Files({{"a.gguf", Part(0, 2, "a")}})), HasSubstr("1 of 2 GGUF parts"));
  EXPECT_THAT(error(Files({{"b.gguf", Part(1, 2, "a")}})), HasSubstr("b.gguf: is part 2"));
  EXPECT_THAT(error(Files({{"a.gguf", Part(0, 2, "a")}, {"b.gguf", Part(1, 2, "a")}})),
              HasSubstr("in another part"));
  const std::string single = GgufBuilder().Tensor("a", kF32, {4}, Floats(4)).Build();
  EXPECT_THAT(error(Files({{"a.gguf", single}, {"b.gguf", single}})), HasSubstr("give one model"));
}

}  // namespace
}  // namespace quantd
