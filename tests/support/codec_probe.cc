// Lets other programs call the codecs: `codec_probe CODEC COLUMNS` reads float rows from stdin and writes
// their planes, one after the other, to stdout; --decode does the inverse. QUANTD_CPU chooses the kernels.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "workers/quant/codec_list.h"
#include "workers/quant/cpu_target.h"

namespace quantd::quant {
namespace {

std::vector<std::vector<std::byte>> Encode(const Codec& codec, const std::vector<float>& weights,
                                           int64_t columns, const float* importance) {
  const int64_t rows = static_cast<int64_t>(weights.size()) / columns;
  std::vector<std::vector<std::byte>> planes;
  std::vector<std::byte*> pointers;
  for (size_t p = 0; p < codec.planes().size(); ++p) {
    planes.emplace_back(static_cast<size_t>(rows * codec.RowBytes(p, columns)));
  }
  for (auto& plane : planes) pointers.push_back(plane.data());
  codec.Encode({WeightType::kF32, weights.data(), rows, columns}, importance, pointers);
  return planes;
}

std::vector<float> Decode(const Codec& codec, const std::vector<std::byte>& planes, int64_t columns) {
  int64_t row_bytes = 0;
  for (size_t p = 0; p < codec.planes().size(); ++p) row_bytes += codec.RowBytes(p, columns);
  const int64_t rows = static_cast<int64_t>(planes.size()) / row_bytes;
  std::vector<const std::byte*> pointers;
  const std::byte* begin = planes.data();
  for (size_t p = 0; p < codec.planes().size(); ++p) {
    pointers.push_back(begin);
    begin += rows * codec.RowBytes(p, columns);
  }
  std::vector<float> weights(static_cast<size_t>(rows * columns));
  codec.Decode(pointers, rows, columns, weights.data());
  return weights;
}

template <typename T>
std::vector<T> ReadStdin() {
  std::vector<T> values;
  T buffer[4096];
  while (size_t got = std::fread(buffer, sizeof(T), std::size(buffer), stdin)) {
    values.insert(values.end(), buffer, buffer + got);
  }
  return values;
}

std::vector<float> ReadFloats(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

int Fail(const std::string& reason) {
  std::fprintf(stderr, "codec_probe: %s\n", reason.c_str());
  return 2;
}

int Main(int argc, char** argv) {
  CLI::App app("codec_probe: the codecs as a filter, for tests");
  bool targets = false, decode = false;
  std::string name, importance_file;
  int64_t columns = 0;
  app.add_flag("--targets", targets, "print the CPU targets of this processor and leave");
  app.add_flag("--decode", decode, "stored planes to float rows, not float rows to planes");
  app.add_option("--importance", importance_file, "a file of one float for each column");
  app.add_option("CODEC", name);
  app.add_option("COLUMNS", columns);
  CLI11_PARSE(app, argc, argv);
  if (targets) {
    for (const std::string& target : CpuTargets()) std::printf("%s\n", target.c_str());
    return 0;
  }
  if (absl::Status status = SetCpuTargetFromEnvironment(); !status.ok())
    return Fail(std::string(status.message()));
  const Codec* codec = FindCodec(name);
  if (codec == nullptr) return Fail("no such codec");
  if (columns <= 0 || columns % codec->column_multiple() != 0)
    return Fail("COLUMNS must be a multiple of the codec's");
  if (decode) {
    const std::vector<float> weights = Decode(*codec, ReadStdin<std::byte>(), columns);
    std::fwrite(weights.data(), sizeof(float), weights.size(), stdout);
    return 0;
  }
  std::vector<float> importance;
  if (!importance_file.empty()) importance = ReadFloats(importance_file);
  const float* matrix = importance.empty() ? nullptr : importance.data();
  if (matrix == nullptr && codec->importance_use() == ImportanceUse::kRequired)
    return Fail("needs --importance");
  if (matrix != nullptr && static_cast<int64_t>(importance.size()) != columns)
    return Fail("importance is not one a column");
  for (const auto& plane : Encode(*codec, ReadStdin<float>(), columns, matrix))
    std::fwrite(plane.data(), 1, plane.size(), stdout);
  return 0;
}

}  // namespace
}  // namespace quantd::quant

int main(int argc, char** argv) { return quantd::quant::Main(argc, argv); }
