// Makes small checkpoints in memory for tests.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "workers/formats/checkpoint_files.h"

namespace quantd {

// The bytes of a safetensors file with this header object, its length prefix, and `data` after it.
std::string SafetensorsBytes(const Json& header, const std::string& data);

// A safetensors file under construction: tensors of one dtype each, with values that differ from tensor to
// tensor.
class SafetensorsBuilder {
 public:
  // Adds a tensor of small pseudo-random values, the same for the same name and shape.
  SafetensorsBuilder& Add(const std::string& name, const std::string& dtype,
                          const std::vector<int64_t>& shape);

  std::string Build() const { return SafetensorsBytes(header_, data_); }

 private:
  Json header_ = Json::object();
  std::string data_;
};

// What the small models below have in common.
struct SmallModel {
  int layers = 2;
  int hidden = 64;
  int feed_forward = 96;
  int heads = 4;
  int key_value_heads = 2;
  int vocabulary = 40;
  std::string dtype = "BF16";
  bool tied = false;
};

// A Hugging Face checkpoint of that shape: config.json, model.safetensors, tokenizer.json,
// tokenizer_config.json by name, to be changed before OpenCheckpoint.
std::map<std::string, std::string> SmallLlama(const SmallModel& model);
std::map<std::string, std::string> SmallPhi3(const SmallModel& model);

CheckpointFiles OpenCheckpoint(const std::map<std::string, std::string>& files);

}  // namespace quantd
