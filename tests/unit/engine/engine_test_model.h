// A small model that engine tests open, run and break.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/support/checkpoint_builder.h"
#include "workers/models/model.h"

namespace quantd {

class EngineTestModel : public testing::Test {
 protected:
  // Opens `files_` after a test changed them.
  const Model& Open() {
    checkpoint_ = OpenCheckpoint(files_);
    absl::StatusOr<Model> model = OpenModel(checkpoint_, "test");
    EXPECT_TRUE(model.ok()) << model.status();
    if (model.ok()) model_ = *std::move(model);
    return model_;
  }

  // Overwrites one BF16 weight of a tensor in model.safetensors.
  void SetWeight(const std::string& tensor, int64_t index, uint16_t bits) {
    for (const ModelTensor& candidate : Open().tensors) {
      if (candidate.source.name != tensor) continue;
      std::string& bytes = files_["model.safetensors"];
      const size_t at = candidate.source.offset + static_cast<size_t>(2 * index);
      bytes[at] = static_cast<char>(bits & 0xff);
      bytes[at + 1] = static_cast<char>(bits >> 8);
      return;
    }
    FAIL() << "no tensor " << tensor;
  }

  std::map<std::string, std::string> files_ = SmallLlama({});
  CheckpointFiles checkpoint_;
  Model model_{};
};

}  // namespace quantd
