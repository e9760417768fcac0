// Arithmetic on sizes that come from outside: overflow is an error, not a wrapped number.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace quantd {

// INVALID_ARGUMENT on overflow.
template <std::integral T>
absl::StatusOr<T> CheckedAdd(T a, T b) {
  T sum;
  if (__builtin_add_overflow(a, b, &sum))
    return absl::InvalidArgumentError(absl::StrCat(a, " + ", b, " overflows"));
  return sum;
}

template <std::integral T>
absl::StatusOr<T> CheckedMul(T a, T b) {
  T product;
  if (__builtin_mul_overflow(a, b, &product)) {
    return absl::InvalidArgumentError(absl::StrCat(a, " * ", b, " overflows"));
  }
  return product;
}

// Product of the dimensions; 1 for a scalar. INVALID_ARGUMENT on a negative dimension or overflow.
inline absl::StatusOr<int64_t> ElementCount(std::span<const int64_t> shape) {
  int64_t count = 1;
  for (int64_t dimension : shape) {
    if (dimension < 0) return absl::InvalidArgumentError(absl::StrCat("negative dimension ", dimension));
    if (__builtin_mul_overflow(count, dimension, &count)) {
      return absl::InvalidArgumentError("the product of the dimensions overflows");
    }
  }
  return count;
}

}  // namespace quantd
