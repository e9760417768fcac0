// Identifiers that can't be guessed, from the operating system's random source.
#pragma once

#include <string>

namespace quantd {

// 16 characters of [0-9a-z], about 82 bits.
std::string RandomId();

// RFC 4122 version 4, "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".
std::string RandomUuid();

// 64 hexadecimal digits, 256 bits: what nobody may ever guess.
std::string RandomSecret();

}  // namespace quantd
