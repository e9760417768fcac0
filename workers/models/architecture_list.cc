#include <array>

#include "absl/strings/str_cat.h"
#include "workers/models/architecture.h"
#include "workers/models/families.h"

namespace quantd {

std::string TensorName(std::string_view pattern, int64_t layer) {
  const size_t at = pattern.find('#');
  if (at == std::string_view::npos) return std::string(pattern);
  return absl::StrCat(std::string(pattern.substr(0, at)), layer, std::string(pattern.substr(at + 1)));
}

std::span<const Architecture* const> AllArchitectures() {
  static const std::array<const Architecture*, 2> list = {&LlamaArchitecture(), &Phi3Architecture()};
  return list;
}

const Architecture* FindArchitecture(std::string_view name) {
  for (const Architecture* architecture : AllArchitectures()) {
    if (architecture->name == name) return architecture;
  }
  return nullptr;
}

}  // namespace quantd
