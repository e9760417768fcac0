// model.onnx and model.onnx.data, parsed again with the ONNX messages.
#include "workers/formats/onnx_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/memory_sink.h"
#include "tests/unit/formats/writer_test_tensors.h"

namespace quantd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

void AddInitializer(onnx::ModelProto& model, const std::string& name, int type,
                    const std::vector<int64_t>& dimensions) {
  onnx::TensorProto* initializer = model.mutable_graph()->add_initializer();
  initializer->set_name(name);
  initializer->set_data_type(type);
  for (int64_t dimension : dimensions) initializer->add_dims(dimension);
}

// Where model.onnx says that the initializer lies.
std::string BytesOf(const onnx::TensorProto& initializer, const std::string& data) {
  std::map<std::string, std::string> external;
  for (const onnx::StringStringEntryProto& entry : initializer.external_data())
    external[entry.key()] = entry.value();
  EXPECT_EQ(external["location"], "model.onnx.data");
  EXPECT_EQ(initializer.data_location(), onnx::TensorProto::EXTERNAL);
  return data.substr(std::stoul(external["offset"]), std::stoul(external["length"]));
}

// A norm, and a matrix of 2 rows of 64 in two planes; the graph lists them the other way round.
class OnnxWriterTest : public testing::Test {
 protected:
  OnnxWriterTest() {
    plan_.tensors = {Tensor("norm", "F32", {3}), Tensor("q", "ONNX_I4_B32_SYM_DEFAULT_F32", {2, 64})};
    AddInitializer(model_, "q.scales", onnx::TensorProto::FLOAT, {2, 2});
    AddInitializer(model_, "q.packed", onnx::TensorProto::UINT8, {2, 2, 16});
    AddInitializer(model_, "norm", onnx::TensorProto::FLOAT, {3});
  }

  absl::StatusOr<std::unique_ptr<ModelWriter>> MakeWriter() const {
    return MakeOnnxWriter(plan_, names_, model_);
  }

  void Write(ModelWriter& writer) {
    ASSERT_TRUE(writer.Begin(sink_).ok());
    ASSERT_TRUE(Append(writer, 0, 0, "aaaabbbbcccc").ok());
    for (char tile : {'1', '2'}) {
      ASSERT_TRUE(Append(writer, 1, 0, std::string(32, tile)).ok());
      ASSERT_TRUE(Append(writer, 1, 1, std::string(8, static_cast<char>(tile + 2))).ok());
    }
    ASSERT_TRUE(writer.Finish().ok());
  }

  OutputPlan plan_;
  std::vector<std::vector<std::string>> names_ = {{"norm"}, {"q.packed", "q.scales"}};
  onnx::ModelProto model_;
  MemorySink sink_;
};

TEST_F(OnnxWriterTest, InitializersSayWhereTheirBytesLie) {
  auto writer = MakeWriter();
  ASSERT_TRUE(writer.ok()) << writer.status();
  Write(**writer);
  onnx::ModelProto written;
  ASSERT_TRUE(written.ParseFromString(sink_.files().at("model.onnx")));
  const std::string& data = sink_.files().at("model.onnx.data");
  EXPECT_EQ(BytesOf(written.graph().initializer(0), data),
            "33333333"
            "44444444");
  EXPECT_EQ(BytesOf(written.graph().initializer(1), data), std::string(32, '1') + std::string(32, '2'));
  EXPECT_EQ(BytesOf(written.graph().initializer(2), data), "aaaabbbbcccc");
  for (const FileSize& file : (*writer)->Files())
    EXPECT_EQ(static_cast<size_t>(file.bytes), sink_.files().at(file.path).size()) << file.path;
}

TEST_F(OnnxWriterTest, AlignsLargeInitializersForMapping) {
  plan_.tensors = {Tensor("a", "F32", {5}), Tensor("b", "F32", {5}), Tensor("c", "F32", {1 << 18})};
  names_ = {{"a"}, {"b"}, {"c"}};
  model_.clear_graph();
  AddInitializer(model_, "a", onnx::TensorProto::FLOAT, {5});
  AddInitializer(model_, "b", onnx::TensorProto::FLOAT, {5});
  AddInitializer(model_, "c", onnx::TensorProto::FLOAT, {1 << 18});
  auto writer = MakeWriter();
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Begin(sink_).ok());
  onnx::ModelProto written;
  ASSERT_TRUE(written.ParseFromString(sink_.files().at("model.onnx")));
  std::vector<std::string> offsets;
  for (const onnx::TensorProto& initializer : written.graph().initializer())
    offsets.push_back(initializer.external_data(1).value());
  EXPECT_THAT(offsets, ElementsAre("0", "64", "65536"));
}

TEST_F(OnnxWriterTest, ReadsBackWhatItDescribes) {
  auto writer = MakeWriter();
  ASSERT_TRUE(writer.ok());
  Write(**writer);
  const OpenArtifactFile open =
      [&](const std::string& path) -> absl::StatusOr<std::unique_ptr<RandomAccessFile>> {
    return MakeMemoryFile(sink_.files().at(path));
  };
  const auto data = MakeMemoryFile(sink_.files().at("model.onnx.data"));
  const auto tensors = (*writer)->ReadBack("model.onnx.data", *data, open);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_THAT(*tensors, SizeIs(3));
  const StoredTensor described = (*writer)->Describe(1, 0);
  EXPECT_EQ((*tensors)[1].name, described.name);
  EXPECT_EQ((*tensors)[1].type, "UINT8");
  EXPECT_EQ((*tensors)[1].shape, described.shape);
  EXPECT_EQ((*tensors)[1].offset, 64u);
  EXPECT_EQ((*tensors)[1].bytes, 64u);
  const auto shorter = MakeMemoryFile(sink_.files().at("model.onnx.data").substr(0, 100));
  EXPECT_FALSE((*writer)->ReadBack("model.onnx.data", *shorter, open).ok());
}

TEST_F(OnnxWriterTest, RefusesGraphsThatDoNotMatchThePlan) {
  for (const auto& [change, what] : std::vector<std::pair<std::function<void()>, const char*>>{
           {[&] { model_.mutable_graph()->mutable_initializer(2)->set_name("other"); }, "norm"},
           {[&] { model_.mutable_graph()->mutable_initializer(2)->set_dims(0, 4); }, "16 bytes"},
           {[&] { AddInitializer(model_, "more", onnx::TensorProto::FLOAT, {1}); }, "more"}}) {
    const onnx::ModelProto whole = model_;
    change();
    const absl::Status status = MakeWriter().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
    model_ = whole;
  }
}

}  // namespace
}  // namespace quantd
