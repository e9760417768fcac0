#include "tests/fuzz/encode_arbitrary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "workers/quant/codec_list.h"
#include "workers/quant/cpu_target.h"
#include "workers/quant/half.h"

namespace quantd::quant {
namespace {

// Bytes of the input, again from its start when they are spent.
class Bytes {
 public:
  explicit Bytes(std::span<const uint8_t> input) : input_(input) {}

  uint8_t Next() { return input_.empty() ? 0 : input_[position_++ % input_.size()]; }
  uint32_t Next32() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | Next();
    return value;
  }

 private:
  std::span<const uint8_t> input_;
  size_t position_ = 0;
};

// How 32 bits become a float.
enum class Numbers { kAnyBits, kFinite, kOrdinary, kFewValues, kCount };

float ToFloat(uint32_t bits, Numbers numbers) {
  switch (numbers) {
    case Numbers::kAnyBits:
      return std::bit_cast<float>(bits);
    case Numbers::kFinite:
      return std::bit_cast<float>((bits & 0x7f800000u) == 0x7f800000u ? bits & 0xbfffffffu : bits);
    case Numbers::kOrdinary:
      return std::ldexp(static_cast<float>(static_cast<int16_t>(bits)),
                        -15 - static_cast<int>(bits >> 16 & 7));
    default:
      return static_cast<float>(static_cast<int>(bits % 5) - 2) * 0.5f;
  }
}

struct Case {
  const Codec* codec = nullptr;
  WeightType type = WeightType::kF32;
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<uint8_t> weights;
  std::vector<float> importance;
  bool within_contract = true;
};

void ReadWeights(Bytes& bytes, Numbers numbers, Case& made) {
  const size_t count = static_cast<size_t>(made.rows * made.columns);
  const size_t size = made.type == WeightType::kF32 ? 4 : 2;
  made.weights.resize(count * size);
  for (size_t i = 0; i < count; ++i) {
    float weight = ToFloat(bytes.Next32(), numbers);
    uint32_t stored = std::bit_cast<uint32_t>(weight);
    if (made.type == WeightType::kF16) {
      stored = FloatToHalf(weight);
      weight = HalfToFloat(static_cast<uint16_t>(stored));
    } else if (made.type == WeightType::kBf16) {
      stored = FloatToBf16(weight);
      weight = Bf16ToFloat(static_cast<uint16_t>(stored));
    }
    std::memcpy(made.weights.data() + i * size, &stored, size);
    made.within_contract &= std::isfinite(weight);
  }
}

// Whole blocks, or a last one that is cut short where the codec takes that, or a row of any length.
int64_t ReadColumns(Bytes& bytes, const Codec& codec) {
  const int64_t block = codec.weights_per_block(), multiple = codec.column_multiple();
  if (block == kWholeRow) return multiple * (1 + bytes.Next32() % 5000);
  const int64_t blocks = 1 + bytes.Next() % 37;
  return blocks * block - bytes.Next() % (block / multiple) * multiple;
}

Case ReadCase(Bytes& bytes) {
  Case made;
  const auto codecs = AllCodecs();
  made.codec = codecs[bytes.Next32() % codecs.size()];
  made.type = static_cast<WeightType>(bytes.Next() % 3);
  made.rows = 1 + bytes.Next() % 4;
  made.columns = ReadColumns(bytes, *made.codec);
  const auto numbers = [&] { return static_cast<Numbers>(bytes.Next() % static_cast<int>(Numbers::kCount)); };
  const Numbers weight_numbers = numbers(), importance_numbers = numbers();
  const ImportanceUse use = made.codec->importance_use();
  if (use == ImportanceUse::kRequired || (use == ImportanceUse::kOptional && bytes.Next() % 2 == 1)) {
    for (int64_t i = 0; i < made.columns; ++i) {
      const float value = ToFloat(bytes.Next32(), importance_numbers);
      made.importance.push_back(importance_numbers == Numbers::kAnyBits ? value : std::fabs(value));
      made.within_contract &= std::isfinite(value) && made.importance.back() >= 0.0f;
    }
  }
  ReadWeights(bytes, weight_numbers, made);
  return made;
}

std::vector<std::vector<std::byte>> EncodeAndDecode(const Case& made) {
  std::vector<std::vector<std::byte>> planes;
  std::vector<std::byte*> to;
  for (size_t p = 0; p < made.codec->planes().size(); ++p) {
    planes.emplace_back(static_cast<size_t>(made.rows * made.codec->RowBytes(p, made.columns)));
  }
  for (auto& plane : planes) to.push_back(plane.data());
  const float* importance = made.importance.empty() ? nullptr : made.importance.data();
  made.codec->Encode({made.type, made.weights.data(), made.rows, made.columns}, importance, to);
  std::vector<float> decoded(static_cast<size_t>(made.rows * made.columns));
  const std::vector<const std::byte*> from(to.begin(), to.end());
  made.codec->Decode(from, made.rows, made.columns, decoded.data());
  return planes;
}

}  // namespace

std::string EncodeArbitrary(std::span<const uint8_t> input) {
  Bytes bytes(input);
  const Case made = ReadCase(bytes);
  std::vector<std::vector<std::byte>> expected;
  for (const std::string& target : CpuTargets()) {
    if (!SetCpuTarget(target).ok()) return "target " + target + " cannot be set";
    const auto planes = EncodeAndDecode(made);
    if (expected.empty()) expected = planes;
    if (made.within_contract && planes != expected) {
      return std::string(made.codec->name()) + ", " + std::to_string(made.rows) + " rows of " +
             std::to_string(made.columns) + ": " + target + " differs from " + CpuTargets().front();
    }
  }
  return "";
}

}  // namespace quantd::quant
