// Where weights are encoded: the CPU or a GPU. A device encodes tiles, some rows of one source tensor, for
// any number of outputs at once, so that a tile is loaded once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/quant/codec.h"

namespace quantd::quant {

// How far an encoding is from its source, over any number of tiles.
struct EncodingError {
  double squared_difference = 0.0;
  double squared_source = 0.0;
  double largest = 0.0;

  void Add(const EncodingError& other);
  // Root mean square of the difference over that of the source; 0 for a source of zeros.
  double Relative() const;
};

// Index of the first weight that is NaN or infinite, if any. Memory speed.
std::optional<int64_t> FirstNonFinite(const WeightRows& weights);

// Measures stored rows against their source. Keeps its working memory; not to be shared between threads.
class ErrorMeter {
 public:
  // The same numbers on every CPU target.
  EncodingError Measure(const WeightRows& source, const Codec& codec,
                        std::span<const std::byte* const> planes);

 private:
  std::vector<float> decoded_;
};

// One output of a tile.
struct TileOutput {
  const Codec* codec = nullptr;
  const float* importance = nullptr;   // null or one number for each column
  std::span<std::byte* const> planes;  // room for every plane of the tile
  EncodingError* error = nullptr;  // where to add the tile's error, measured on what was stored; may be null
  // Where to say which kind of device encoded it, "cpu" or "cuda"; may be null. Encoders that know but one
  // device leave it alone.
  std::string_view* device = nullptr;
};

// Encodes for one thread; not to be shared between threads.
class TileEncoder {
 public:
  virtual ~TileEncoder() = default;

  // Encodes `weights` for every output and returns the index of the first weight that is not finite, if any;
  // outputs are unspecified then. RESOURCE_EXHAUSTED and UNAVAILABLE when the device failed: another device
  // may encode the same tile.
  virtual absl::StatusOr<std::optional<int64_t>> Encode(const WeightRows& weights,
                                                        std::span<const TileOutput> outputs) = 0;
};

// Memory that a device reads fast from: pinned for a GPU, and for a CPU aligned to whole cache lines.
class HostBuffer {
 public:
  virtual ~HostBuffer() = default;
  virtual std::span<std::byte> bytes() = 0;
};

// Thread-safe. Outlives its encoders and buffers.
class Device {
 public:
  virtual ~Device() = default;

  virtual std::string name() const = 0;  // "cpu avx512", "cuda:0 NVIDIA H100 80GB HBM3"
  // Whether this device has a kernel of that codec.
  virtual bool Supports(const Codec& codec) const = 0;
  virtual absl::StatusOr<std::unique_ptr<TileEncoder>> NewEncoder() = 0;
  virtual absl::StatusOr<std::unique_ptr<HostBuffer>> NewHostBuffer(size_t bytes) = 0;
};

// Supports every codec and never fails.
std::unique_ptr<Device> OpenCpuDevice();

struct CudaOptions {
  int index = 0;
  int64_t memory_limit = 0;  // bytes of device memory, over all encoders; 0: no limit
};

// How many GPUs there are: 0 where the build or the machine has no CUDA.
int CudaDeviceCount();

// UNAVAILABLE, with the reason, where the build or the machine has no such GPU.
absl::StatusOr<std::unique_ptr<Device>> OpenCudaDevice(const CudaOptions& options);

}  // namespace quantd::quant
