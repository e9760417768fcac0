// Logs stay one valid line for each message, whatever the names in a checkpoint hold.
#include <sstream>

#include "tests/service/end_to_end_test_base.h"

namespace quantd {
namespace {

class LogTest : public EndToEndTest {
 protected:
  explicit LogTest(const char* format = "json")
      : EndToEndTest({.workers = 1, .arguments = {"--log-format", format}, .keep_log = true}) {}

  // A tensor of a type that nobody knows, with a name that would end a line or a JSON string.
  void SendHostileModel() {
    const std::string name = "x\", \"level\": \"info\n{\"forged\": true}\u2028\x01";
    const Json header = {{name, {{"dtype", "X9"}, {"shape", {2}}, {"data_offsets", {0, 2}}}}};
    std::map<std::string, std::string> files = SmallLlama({});
    files["model.safetensors"] = SafetensorsBytes(header, "ab");
    const std::string model = SendCheckpoint(files).name();
    ASSERT_TRUE(Eventually([&] { return GetModel(model).state() == v1::Model::FAILED; }));
    ASSERT_NE(GetModel(model).error().find("forged"), std::string::npos) << GetModel(model).error();
    EXPECT_EQ(server_.Terminate(), 0);
  }
};

class TextLogTest : public LogTest {
 protected:
  TextLogTest() : LogTest("text") {}
};

TEST_F(LogTest, EveryLineIsAnObject) {
  SendHostileModel();
  std::istringstream lines(server_.Log());
  std::set<std::string> who_named_it;
  for (std::string line; std::getline(lines, line);) {
    const Json entry = Json::parse(line, nullptr, false);
    ASSERT_TRUE(entry.is_object()) << line;
    EXPECT_FALSE(entry.contains("forged")) << line;
    if (entry["message"].get<std::string>().find("forged") != std::string::npos)
      who_named_it.insert(entry["program"]);
  }
  EXPECT_EQ(who_named_it, (std::set<std::string>{"quantd", "quantd-worker"}));
}

TEST_F(TextLogTest, EveryLineBeginsWithItsTime) {
  SendHostileModel();
  std::istringstream lines(server_.Log());
  for (std::string line; std::getline(lines, line);) EXPECT_EQ(line.rfind("20", 0), 0u) << line;
}

}  // namespace
}  // namespace quantd
