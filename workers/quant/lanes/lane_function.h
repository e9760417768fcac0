// QUANTD_LANE marks a function of lane code: always inlined into the kernel of its target, and compiled for
// the host and the device where nvcc reads it.
#pragma once

#if defined(__CUDACC__)
#define QUANTD_LANE __host__ __device__ __forceinline__
#else
#define QUANTD_LANE inline __attribute__((always_inline))
#endif
