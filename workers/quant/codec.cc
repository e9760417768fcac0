#include "workers/quant/codec.h"

namespace quantd::quant {

double Codec::BitsPerWeight() const {
  int64_t bytes = 0;
  for (const PlaneSpec& plane : planes()) bytes += plane.bytes_per_block;
  return 8.0 * static_cast<double>(bytes) / static_cast<double>(weights_per_block());
}

int64_t Codec::RowBytes(size_t plane, int64_t columns) const {
  return columns / weights_per_block() * planes()[plane].bytes_per_block;
}

}  // namespace quantd::quant
