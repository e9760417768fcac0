// The parts of a model's name that GGUF files carry, by the rules of llama.cpp's converter
// (gguf-py/gguf/metadata.py).
#pragma once

#include <cstdint>
#include <string>

namespace quantd {

// Empty parts are unknown.
struct ModelNameParts {
  std::string name;  // "Phi 3.5 Mini Instruct"
  std::string organization;
  std::string basename;  // "Phi-3.5"
  std::string finetune;  // "instruct"
  std::string version;
  std::string size_label;  // "mini", "7B"
};

// From "Phi-3.5-mini-instruct" or "microsoft/Phi-3.5-mini-instruct". A name with spaces is taken as it is.
// `parameters` tells a size in the name from a context length.
ModelNameParts SplitModelName(const std::string& name, int64_t parameters);

// "3.8B", "163M": for models whose name says no size.
std::string SizeLabel(int64_t parameters);

}  // namespace quantd
