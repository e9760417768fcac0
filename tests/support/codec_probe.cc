// Lets other programs call the codecs: `codec_probe CODEC COLUMNS` reads float rows from stdin and writes
// their planes, one after the other, to stdout; `codec_probe --decode CODEC COLUMNS` does the inverse.
// `codec_probe --time CODEC` prints how many million weights one core encodes in a second.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "workers/quant/codec_list.h"

namespace quantd::quant {
namespace {

std::vector<std::vector<std::byte>> Encode(const Codec& codec, const std::vector<float>& weights,
                                           int64_t columns) {
  const int64_t rows = static_cast<int64_t>(weights.size()) / columns;
  std::vector<std::vector<std::byte>> planes;
  std::vector<std::byte*> pointers;
  for (size_t p = 0; p < codec.planes().size(); ++p) {
    planes.emplace_back(static_cast<size_t>(rows * codec.RowBytes(p, columns)));
  }
  for (auto& plane : planes) pointers.push_back(plane.data());
  codec.Encode({WeightType::kF32, weights.data(), rows, columns}, nullptr, pointers);
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

int Time(const Codec& codec) {
  constexpr int64_t kColumns = 4096, kRows = 64;
  std::mt19937 random(1);
  std::normal_distribution<float> gaussian(0.0f, 0.02f);
  std::vector<float> weights(kColumns * kRows);
  for (float& weight : weights) weight = gaussian(random);
  int64_t encoded = 0;
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::duration<double> elapsed{};
  do {
    Encode(codec, weights, kColumns);
    encoded += kColumns * kRows;
    elapsed = std::chrono::steady_clock::now() - begin;
  } while (elapsed.count() < 0.5);
  std::printf("%s %.1f\n", std::string(codec.name()).c_str(),
              static_cast<double>(encoded) / elapsed.count() / 1e6);
  return 0;
}

int Run(const std::vector<std::string>& arguments) {
  const bool time = arguments.size() == 2 && arguments[0] == "--time";
  const bool decode = arguments.size() == 3 && arguments[0] == "--decode";
  if (!time && !decode && arguments.size() != 2) {
    std::fprintf(
        stderr,
        "usage: codec_probe CODEC COLUMNS | codec_probe --decode CODEC COLUMNS | codec_probe --time CODEC\n");
    return 2;
  }
  const Codec* codec = FindCodec(arguments[time || decode ? 1 : 0]);
  if (codec == nullptr) {
    std::fprintf(stderr, "codec_probe: no such codec\n");
    return 2;
  }
  if (time) return Time(*codec);
  const int64_t columns = std::atoll(arguments.back().c_str());
  if (columns <= 0 || columns % codec->weights_per_block() != 0) {
    std::fprintf(stderr, "codec_probe: COLUMNS must be a positive multiple of the block's %lld weights\n",
                 static_cast<long long>(codec->weights_per_block()));
    return 2;
  }
  if (decode) {
    const std::vector<float> weights = Decode(*codec, ReadStdin<std::byte>(), columns);
    std::fwrite(weights.data(), sizeof(float), weights.size(), stdout);
    return 0;
  }
  for (const auto& plane : Encode(*codec, ReadStdin<float>(), columns))
    std::fwrite(plane.data(), 1, plane.size(), stdout);
  return 0;
}

}  // namespace
}  // namespace quantd::quant

int main(int argc, char** argv) { return quantd::quant::Run({argv + 1, argv + argc}); }
