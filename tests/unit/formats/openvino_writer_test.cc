// openvino_model.xml and openvino_model.bin: what the text says, and where the bytes lie.
#include "workers/formats/openvino_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "tests/support/memory_sink.h"
#include "tests/unit/formats/writer_test_tensors.h"
#include "workers/formats/openvino_xml.h"

namespace quantd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

IrLayer Constant(const std::string& name, IrType type, const std::vector<int64_t>& shape,
                 std::optional<std::string> bytes) {
  return {.type = "Const",
          .version = "opset1",
          .name = name,
          .outputs = {{type}},
          .constant = IrConstant{shape, std::move(bytes)}};
}

// A matrix of 3 rows of 32 with zero points, which share bytes; two equal constants and another.
class OpenVinoWriterTest : public testing::Test {
 protected:
  OpenVinoWriterTest() {
    plan_.tensors = {Tensor("q", "OPENVINO_I4_G32_ASYM", {3, 32})};
    plan_.tensors[0].nibble_plane = 2;
    model_.name = "a <model>";
    model_.layers = {Constant("one", IrType::kI64, {}, std::string("12345678")),
                     Constant("q/zero_point", IrType::kU4, {3, 1, 1}, std::nullopt),
                     Constant("same", IrType::kI8, {2, 4}, std::string("12345678")),
                     Constant("other", IrType::kF32, {1}, std::string("abcd")),
                     Constant("q", IrType::kU4, {3, 1, 32}, std::nullopt),
                     Constant("q/scale", IrType::kF16, {3, 1, 1}, std::nullopt),
                     {.type = "Convert",
                      .version = "opset1",
                      .name = "floats",
                      .attributes = {{"destination_type", "f16"}},
                      .inputs = {{4, 0}},
                      .outputs = {{IrType::kF16, "found by name"}},
                      .decompresses = true}};
    model_.info = {{"options", "", {{"KEY", "\"quoted\"\n"}}}};
  }

  absl::StatusOr<std::unique_ptr<ModelWriter>> MakeWriter() const {
    return MakeOpenVinoWriter(plan_, names_, model_);
  }

  void Write(ModelWriter& writer) {
    ASSERT_TRUE(writer.Begin(sink_).ok());
    ASSERT_TRUE(Append(writer, 0, 0, std::string(48, 'q')).ok());
    ASSERT_TRUE(Append(writer, 0, 1, "scales").ok());
    ASSERT_TRUE(Append(writer, 0, 2, "zz").ok());
    ASSERT_TRUE(writer.Finish().ok());
  }

  absl::StatusOr<std::vector<StoredTensor>> ReadBack(const ModelWriter& writer, const std::string& xml,
                                                     const std::string& weights) const {
    return writer.ReadBack(kOpenVinoWeightsPath, *MakeMemoryFile(weights),
                           [&](const std::string&) { return MakeMemoryFile(xml); });
  }

  const std::string& xml() const { return sink_.files().at(kOpenVinoModelPath); }
  const std::string& weights() const { return sink_.files().at(kOpenVinoWeightsPath); }

  OutputPlan plan_;
  std::vector<std::vector<std::string>> names_ = {{"q", "q/scale", "q/zero_point"}};
  IrModel model_;
  MemorySink sink_;
};

TEST_F(OpenVinoWriterTest, EqualConstantsAreStoredOnceAndEverythingIsAligned) {
  auto writer = MakeWriter();
  ASSERT_TRUE(writer.ok()) << writer.status();
  Write(**writer);
  for (const auto& [at, bytes] : {std::pair<size_t, std::string>(0, "12345678"),
                                  {64, "abcd"},
                                  {128, std::string(48, 'q')},
                                  {192, "scales"},
                                  {256, "zz"}}) {
    EXPECT_EQ(weights().substr(at, bytes.size()), bytes);
  }
  EXPECT_THAT(weights(), SizeIs(258));
  for (const FileSize& file : (*writer)->Files())
    EXPECT_EQ(static_cast<size_t>(file.bytes), sink_.files().at(file.path).size()) << file.path;
}

TEST_F(OpenVinoWriterTest, TheTextDescribesLayersEdgesAndInformation) {
  auto writer = MakeWriter();
  ASSERT_TRUE(writer.ok());
  Write(**writer);
  EXPECT_THAT(xml(), HasSubstr("<net name=\"a &lt;model&gt;\" version=\"11\">"));
  EXPECT_THAT(xml(), HasSubstr("<layer id=\"4\" name=\"q\" type=\"Const\" version=\"opset1\"><data "
                               "element_type=\"u4\" shape=\"3, 1, 32\" offset=\"128\" size=\"48\"/>"
                               "<output><port id=\"0\" precision=\"U4\"/></output></layer>"));
  EXPECT_THAT(xml(), HasSubstr("<data destination_type=\"f16\"/><rt_info><attribute name=\"decompression\" "
                               "version=\"0\"/></rt_info><input><port id=\"0\"/></input><output><port "
                               "id=\"1\" precision=\"FP16\" names=\"found by name\"/></output>"));
  EXPECT_THAT(xml(), HasSubstr("<edge from-layer=\"4\" from-port=\"0\" to-layer=\"6\" to-port=\"0\"/>"));
  EXPECT_THAT(xml(), HasSubstr("<options>\n<KEY value=\"&quot;quoted&quot;&#10;\"/>\n</options>"));
}

TEST_F(OpenVinoWriterTest, ReadsBackThePlanesThatItDescribes) {
  auto writer = MakeWriter();
  ASSERT_TRUE(writer.ok());
  Write(**writer);
  const auto tensors = ReadBack(**writer, xml(), weights());
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_THAT(*tensors, SizeIs(3));
  for (size_t plane = 0; plane < 3; ++plane) {
    const StoredTensor meant = (*writer)->Describe(0, plane);
    const auto found = std::find_if(tensors->begin(), tensors->end(),
                                    [&](const StoredTensor& tensor) { return tensor.name == meant.name; });
    ASSERT_NE(found, tensors->end()) << meant.name;
    EXPECT_EQ(found->type, meant.type);
    EXPECT_EQ(found->shape, meant.shape);
  }
}

TEST_F(OpenVinoWriterTest, ReadingBackNoticesAnotherTextOrConstant) {
  auto writer = MakeWriter();
  ASSERT_TRUE(writer.ok());
  Write(**writer);
  for (const auto& [from, to] : {std::pair("size=\"48\"", "size=\"47\""),
                                 {"offset=\"192\"", "offset=\"256\""},
                                 {"shape=\"3, 1, 32\"", "shape=\"3, 1, x\""},
                                 {"element_type=\"u4\"", "element_type=\"u5\""},
                                 {"<?xml", "<?yml"},
                                 {"</layer>", "</layer"},
                                 {"version=\"opset1\">", "version=\"opset1>"}}) {
    EXPECT_FALSE(ReadBack(**writer, absl::StrReplaceAll(xml(), {{from, to}}), weights()).ok()) << from;
  }
  std::string changed = weights();
  changed[65] = 'B';
  EXPECT_THAT(std::string(ReadBack(**writer, xml(), changed).status().message()), HasSubstr("other"));
}

TEST_F(OpenVinoWriterTest, RefusesAPlanThatTheModelDoesNotFit) {
  names_[0][1] = "missing";
  EXPECT_THAT(std::string(MakeWriter().status().message()), HasSubstr("missing"));
  names_[0].pop_back();
  names_[0][1] = "q/scale";
  EXPECT_THAT(std::string(MakeWriter().status().message()), HasSubstr("q/zero_point"));
  names_[0].push_back("q/zero_point");
  model_.layers[4].constant->shape = {3, 1, 64};
  EXPECT_THAT(std::string(MakeWriter().status().message()), HasSubstr("96 bytes in the model and 48"));
}

TEST(OpenVinoXmlTest, ReadsNothingButConstants) {
  const auto constants = ReadOpenVinoConstants(
      "<?xml version=\"1.0\"?>\n<net><layers><layer id=\"0\" name=\"a&amp;b\" type=\"Const\" "
      "version=\"opset1\">"
      "<data element_type=\"i4\" shape=\"3\" offset=\"7\" size=\"2\"/></layer>"
      "<layer id=\"1\" name=\"c\" type=\"Add\" version=\"opset1\"><data auto_broadcast=\"numpy\"/></layer>"
      "</layers></net>");
  ASSERT_TRUE(constants.ok()) << constants.status();
  ASSERT_THAT(*constants, SizeIs(1));
  EXPECT_EQ((*constants)[0].name, "a&b");
  EXPECT_THAT((*constants)[0].shape, ElementsAre(3));
  EXPECT_EQ((*constants)[0].offset, 7u);
  EXPECT_FALSE(
      ReadOpenVinoConstants("<?xml version=\"1.0\"?><layer name=\"a\" type=\"Const\"></layer>").ok());
}

}  // namespace
}  // namespace quantd
