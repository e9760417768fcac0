// Packs numbers below 16 two to a byte, the first in the low half.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace quantd {

// Used by one thread, for one plane after the other.
class NibblePacker {
 public:
  // The bytes that these numbers, one a byte, complete; valid until the next call. An odd one waits for the
  // next call, or is completed with 0 when it `is_last` of its plane.
  std::span<const std::byte> Pack(std::span<const std::byte> numbers, bool is_last) {
    packed_.clear();
    for (std::byte number : numbers) {
      if (waiting_.has_value()) {
        packed_.push_back(*waiting_ | number << 4);
        waiting_.reset();
      } else {
        waiting_ = number;
      }
    }
    if (is_last && waiting_.has_value()) {
      packed_.push_back(*waiting_);
      waiting_.reset();
    }
    return packed_;
  }

 private:
  std::vector<std::byte> packed_;
  std::optional<std::byte> waiting_;
};

}  // namespace quantd
