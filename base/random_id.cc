#include "base/random_id.h"

#include <openssl/rand.h>

#include <array>
#include <cstdlib>

namespace quantd {
namespace {

template <size_t N>
std::array<unsigned char, N> RandomBytes() {
  std::array<unsigned char, N> bytes;
  // Fails only where the system has no random source; identifiers that can be guessed would be worse than
  // stopping.
  if (RAND_bytes(bytes.data(), N) != 1) std::abort();
  return bytes;
}

}  // namespace

std::string RandomId() {
  constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string id;
  for (unsigned char byte : RandomBytes<16>()) id += kDigits[byte % 36];
  return id;
}

std::string RandomUuid() {
  std::array<unsigned char, 16> bytes = RandomBytes<16>();
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string uuid;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) uuid += '-';
    uuid += kDigits[bytes[i] >> 4];
    uuid += kDigits[bytes[i] & 15];
  }
  return uuid;
}

std::string RandomSecret() {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string secret;
  for (unsigned char byte : RandomBytes<32>()) {
    secret += kDigits[byte >> 4];
    secret += kDigits[byte & 15];
  }
  return secret;
}

}  // namespace quantd
