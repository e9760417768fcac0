#include "workers/formats/safetensors_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/checkpoint_builder.h"

namespace quantd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string ErrorOf(const std::string& bytes) {
  CheckpointFiles files = OpenCheckpoint({{"model.safetensors", bytes}});
  auto tensors = ReadSafetensorsCheckpoint(files);
  if (tensors.ok()) return "ok";
  EXPECT_EQ(tensors.status().code(), absl::StatusCode::kInvalidArgument) << tensors.status();
  return std::string(tensors.status().message());
}

Json Entry(const std::string& dtype, const std::vector<int64_t>& shape, uint64_t begin, uint64_t end) {
  return {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, end}}};
}

TEST(SafetensorsReader, ReadsTensorsInTheOrderOfTheirBytes) {
  CheckpointFiles files = OpenCheckpoint(
      {{"model.safetensors", SafetensorsBuilder().Add("z", "BF16", {2, 4}).Add("a", "F32", {3}).Build()}});
  auto tensors = ReadSafetensorsCheckpoint(files);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 2u);
  EXPECT_EQ((*tensors)[0].name, "z");
  EXPECT_EQ((*tensors)[0].codec->name(), "BF16");
  EXPECT_EQ((*tensors)[0].rows(), 2);
  EXPECT_EQ((*tensors)[0].columns(), 4);
  EXPECT_EQ((*tensors)[0].bytes, 16u);
  EXPECT_EQ((*tensors)[1].offset, (*tensors)[0].offset + 16);
}

TEST(SafetensorsReader, IgnoresMetadata) {
  EXPECT_EQ(ErrorOf(SafetensorsBytes({{"__metadata__", {{"format", "pt"}}}, {"a", Entry("F32", {1}, 0, 4)}},
                                     "1234")),
            "ok");
}

TEST(SafetensorsReader, RefusesBrokenHeaders) {
  EXPECT_THAT(ErrorOf("1234"), AllOf(HasSubstr("model.safetensors"), HasSubstr("too short")));
  EXPECT_THAT(ErrorOf(std::string(8, '\xff') + "{}"), HasSubstr("passes the end of the file"));
  EXPECT_THAT(ErrorOf(std::string("\x02\0\0\0\0\0\0\0", 8) + "{]"), HasSubstr("not valid JSON"));
  EXPECT_THAT(ErrorOf(SafetensorsBytes(Json::array(), "")), HasSubstr("not a JSON object"));
  std::string deep = std::string(1000, '[') + std::string(1000, ']');
  EXPECT_THAT(
      ErrorOf(
          SafetensorsBytes(Json::object(), "").replace(0, 10, std::string("\xd0\x07\0\0\0\0\0\0", 8) + deep)),
      HasSubstr("nests deeper"));
}

TEST(SafetensorsReader, RefusesTensorsThatDoNotFitTheFile) {
  EXPECT_THAT(ErrorOf(SafetensorsBytes({{"a", Entry("F32", {2}, 0, 8)}}, "1234")),
              AllOf(HasSubstr("tensor a"), HasSubstr("the file holds 4")));
  EXPECT_THAT(ErrorOf(SafetensorsBytes({{"a", Entry("F32", {2}, 0, 4)}}, "1234")), HasSubstr("need 8"));
  EXPECT_THAT(ErrorOf(SafetensorsBytes({{"a", Entry("F32", {1}, 4, 0)}}, "1234")), HasSubstr("tensor a"));
  EXPECT_THAT(
      ErrorOf(SafetensorsBytes({{"a", Entry("F32", {1}, 0, 4)}, {"b", Entry("F32", {1}, 2, 6)}}, "123456")),
      HasSubstr("overlaps"));
  EXPECT_THAT(ErrorOf(SafetensorsBytes({{"a", Entry("F32", {1}, 2, 6)}}, "123456")),
              HasSubstr("unused bytes"));
  EXPECT_THAT(ErrorOf(SafetensorsBytes({{"a", Entry("F32", {1}, 0, 4)}}, "123456")),
              HasSubstr("its tensors end at"));
}

TEST(SafetensorsReader, RefusesUnknownTypesAndImpossibleShapes) {
  EXPECT_THAT(ErrorOf(SafetensorsBytes({{"a", Entry("I64", {1}, 0, 8)}}, "12345678")),
              AllOf(HasSubstr("tensor a"), HasSubstr("I64")));
  const int64_t large = int64_t{1} << 40;
  EXPECT_THAT(ErrorOf(SafetensorsBytes({{"a", Entry("F32", {large, large}, 0, 4)}}, "1234")),
              HasSubstr("overflows"));
  EXPECT_THAT(ErrorOf(SafetensorsBytes({{"a", Entry("F32", {-1}, 0, 4)}}, "1234")),
              HasSubstr("no whole number"));
  EXPECT_THAT(ErrorOf(SafetensorsBytes({{"a", 7}}, "")), HasSubstr("tensor a"));
}

TEST(SafetensorsReader, RefusesATensorThatIsDescribedTwice) {
  const std::string entry = Entry("F32", {1}, 0, 4).dump();
  const std::string header = "{\"a\":" + entry + ",\"a\":" + entry + "}";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  EXPECT_THAT(ErrorOf(bytes + header + "1234"), HasSubstr("a is described twice"));
}

class Sharded : public testing::Test {
 protected:
  std::map<std::string, std::string> files_ = {
      {"one.safetensors", SafetensorsBuilder().Add("a", "F32", {1}).Build()},
      {"two.safetensors", SafetensorsBuilder().Add("b", "F32", {1}).Build()},
      {"model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})"}};

  std::string Error() {
    CheckpointFiles files = OpenCheckpoint(files_);
    auto tensors = ReadSafetensorsCheckpoint(files);
    return tensors.ok() ? "ok" : std::string(tensors.status().message());
  }
};

TEST_F(Sharded, ReadsTheShardsThatTheIndexNames) { EXPECT_EQ(Error(), "ok"); }

TEST_F(Sharded, NamesAMissingShard) {
  files_.erase("two.safetensors");
  EXPECT_THAT(Error(), AllOf(HasSubstr("two.safetensors"), HasSubstr("missing")));
}

TEST_F(Sharded, NamesATensorThatIsNotWhereTheIndexSays) {
  files_["two.safetensors"] = SafetensorsBuilder().Add("c", "F32", {1}).Build();
  EXPECT_THAT(Error(), HasSubstr("tensor b is not in two.safetensors"));
}

TEST_F(Sharded, RefusesATensorInTwoShards) {
  files_["two.safetensors"] = SafetensorsBuilder().Add("a", "F32", {1}).Add("b", "F32", {1}).Build();
  EXPECT_THAT(Error(), HasSubstr("tensor a is both in"));
}

TEST_F(Sharded, RefusesAnIndexThatClimbsOutOfTheFolder) {
  files_["model.safetensors.index.json"] = R"({"weight_map":{"a":"../one.safetensors"}})";
  EXPECT_THAT(Error(), HasSubstr("climbs"));
}

}  // namespace
}  // namespace quantd
