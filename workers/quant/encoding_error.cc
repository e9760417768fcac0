#include <algorithm>
#include <cmath>

#include "workers/quant/device.h"

namespace quantd::quant {

void EncodingError::Add(const EncodingError& other) {
  squared_difference += other.squared_difference;
  squared_source += other.squared_source;
  largest = std::max(largest, other.largest);
}

double EncodingError::Relative() const {
  return squared_source > 0.0 ? std::sqrt(squared_difference / squared_source) : 0.0;
}

}  // namespace quantd::quant
