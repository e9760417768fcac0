#include "bench/quantbench/ggml_peer.h"

#include <dlfcn.h>

#include <array>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

namespace quantd::bench {
namespace {

// Numbers of ggml's public enum ggml_type (ggml.h).
constexpr std::array<std::pair<std::string_view, int>, 28> kTypes = {{
    {"F32", 0},      {"F16", 1},     {"Q4_0", 2},     {"Q4_1", 3},   {"Q5_0", 6},    {"Q5_1", 7},
    {"Q8_0", 8},     {"Q2_K", 10},   {"Q3_K", 11},    {"Q4_K", 12},  {"Q5_K", 13},   {"Q6_K", 14},
    {"IQ2_XXS", 16}, {"IQ2_XS", 17}, {"IQ3_XXS", 18}, {"IQ1_S", 19}, {"IQ4_NL", 20}, {"IQ3_S", 21},
    {"IQ2_S", 22},   {"IQ4_XS", 23}, {"IQ1_M", 29},   {"BF16", 30},  {"TQ1_0", 34},  {"TQ2_0", 35},
    {"MXFP4", 39},   {"NVFP4", 40},  {"Q1_0", 41},    {"Q2_0", 42},
}};

std::string FindLibrary() {
  std::error_code error;
  for (const auto& python : std::filesystem::directory_iterator("build/venv/lib", error)) {
    const auto path = python.path() / "site-packages/llama_cpp/lib/libggml-base.so";
    if (std::filesystem::exists(path, error)) return path.string();
  }
  return "";
}

// What ggml_init takes: its first call fills the tables of 16-bit floats.
struct InitParameters {
  size_t memory_size;
  void* memory;
  bool no_alloc;
};

}  // namespace

std::optional<int> GgmlPeer::TypeOf(std::string_view codec) {
  for (const auto& [name, number] : kTypes) {
    if (name == codec) return number;
  }
  return std::nullopt;
}

absl::StatusOr<std::unique_ptr<GgmlPeer>> GgmlPeer::Load(const std::string& path) {
  const std::string file = path.empty() ? FindLibrary() : path;
  if (file.empty())
    return absl::NotFoundError("ggml is not installed: scripts/test installs it in build/venv");
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return absl::NotFoundError(absl::StrCat(file, ": ", dlerror()));
  const auto quantize = reinterpret_cast<QuantizeChunk>(dlsym(library, "ggml_quantize_chunk"));
  const auto prepare = reinterpret_cast<QuantizeInit>(dlsym(library, "ggml_quantize_init"));
  const auto init = reinterpret_cast<void* (*)(InitParameters)>(dlsym(library, "ggml_init"));
  const auto free = reinterpret_cast<void (*)(void*)>(dlsym(library, "ggml_free"));
  if (quantize == nullptr || prepare == nullptr || init == nullptr || free == nullptr) {
    return absl::NotFoundError(absl::StrCat(file, ": not ggml's base library"));
  }
  free(init({1 << 16, nullptr, true}));
  return std::unique_ptr<GgmlPeer>(new GgmlPeer(quantize, prepare));
}

}  // namespace quantd::bench
