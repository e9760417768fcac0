#include "workers/quant/codec.h"

namespace quantd::quant {

double Codec::BitsPerWeight() const {
  constexpr int64_t kLongRow = int64_t{1} << 20;  // whole blocks of every codec
  int64_t bytes = 0;
  for (size_t plane = 0; plane < planes().size(); ++plane) bytes += RowBytes(plane, kLongRow);
  return 8.0 * static_cast<double>(bytes) / static_cast<double>(kLongRow);
}

int64_t Codec::RowBytes(size_t plane, int64_t columns) const {
  return columns / weights_per_block() * planes()[plane].bytes_per_block;
}

}  // namespace quantd::quant
