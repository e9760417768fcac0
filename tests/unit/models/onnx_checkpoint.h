// A small checkpoint and a target of it, as the tests of ONNX's parts change them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/support/checkpoint_builder.h"
#include "workers/models/targets/onnx/decoder.h"

namespace quantd {

struct OnnxCheckpoint {
  std::map<std::string, std::string> files;
  TargetSpec spec = {"onnx", "int4", {}};

  // Changes keys of config.json or another file that holds an object.
  void Set(const Json& changes, const std::string& path = "config.json");

  // The rest refers to this object, which stays where it is.
  absl::StatusOr<OnnxDecoder> TryRead();
  OnnxDecoder Read();  // fails the test on an error

  std::vector<std::string> notes = {};
  CheckpointFiles opened = {};
  Model model = {};
};

// Two short lists of LongRoPE's factors for a config.json, one a pair of rotated dimensions.
Json LongRopeScaling(int pairs);

}  // namespace quantd
