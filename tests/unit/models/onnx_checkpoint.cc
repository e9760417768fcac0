#include "tests/unit/models/onnx_checkpoint.h"

#include <gtest/gtest.h>

namespace quantd {

void OnnxCheckpoint::Set(const Json& changes, const std::string& path) {
  Json json = files.count(path) > 0 ? Json::parse(files[path]) : Json::object();
  json.update(changes);
  files[path] = json.dump();
}

absl::StatusOr<OnnxDecoder> OnnxCheckpoint::TryRead() {
  notes.clear();
  opened = OpenCheckpoint(files);
  absl::StatusOr<Model> read = OpenModel(opened, "test");
  EXPECT_TRUE(read.ok()) << read.status();
  if (!read.ok()) return read.status();
  model = *std::move(read);
  return ReadOnnxDecoder(spec, model, notes);
}

OnnxDecoder OnnxCheckpoint::Read() {
  absl::StatusOr<OnnxDecoder> decoder = TryRead();
  EXPECT_TRUE(decoder.ok()) << decoder.status();
  return decoder.ok() ? *std::move(decoder) : OnnxDecoder{};
}

Json LongRopeScaling(int pairs) {
  Json scaling = {{"type", "longrope"}, {"short_factor", Json::array()}, {"long_factor", Json::array()}};
  for (int pair = 0; pair < pairs; ++pair) {
    scaling["short_factor"].push_back(1.0 + 0.25 * pair);
    scaling["long_factor"].push_back(2.0 + 0.5 * pair);
  }
  return scaling;
}

}  // namespace quantd
