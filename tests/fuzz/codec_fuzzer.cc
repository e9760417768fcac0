// libFuzzer's entry: cmake --preset fuzz && cmake --build --preset fuzz && build/fuzz/tests/codec_fuzzer
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/encode_arbitrary.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string wrong = quantd::quant::EncodeArbitrary({data, size});
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
  }
  return 0;
}
