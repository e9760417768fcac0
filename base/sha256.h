// SHA-256 (FIPS 180-4) by OpenSSL.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace quantd {

// A running digest. Movable, not thread-safe.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void Update(std::span<const std::byte> bytes);
  void Update(std::string_view bytes);

  // Lower-case hexadecimal, 64 digits. Ends the digest: no Update after it.
  std::string FinishHex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Digest of `bytes` in one call.
std::string Sha256Hex(std::string_view bytes);

// 64 lower-case hexadecimal digits.
bool IsSha256Hex(std::string_view text);

}  // namespace quantd
