// QUANTD_LANE marks a function of lane code: always inlined into the kernel of its target, and compiled for
// the host and the device where nvcc reads it.
//
// QUANTD_UNROLL stands before a loop over an array of lanes. A GPU keeps such an array in registers, which
// needs every index at compile time; a CPU keeps it in its first-level cache, and decides for itself.
// QUANTD_UNROLL_TWICE stands before a loop that a CPU should do in steps of two.
//
// QUANTD_LANE_LOOP marks a function that is little more than a hot loop. On a CPU it is a function of its
// own, where the loop's values have all vector registers (in the midst of a long kernel the compiler keeps
// some of them in memory); a GPU inlines it, because the arrays that it is given are registers.
//
// QUANTD_TABLE marks other functions that a GPU runs too: those that have tables, which are no constants to a
// constexpr function of its, and what calls them.
#pragma once

#if defined(__CUDACC__)
#define QUANTD_LANE __host__ __device__ __forceinline__
#define QUANTD_LANE_LOOP QUANTD_LANE
#define QUANTD_TABLE __host__ __device__ inline
#define QUANTD_UNROLL _Pragma("unroll")
#define QUANTD_UNROLL_TWICE _Pragma("unroll")
#else
#define QUANTD_LANE inline __attribute__((always_inline))
#define QUANTD_LANE_LOOP __attribute__((noinline))
#define QUANTD_TABLE inline
#define QUANTD_UNROLL
#define QUANTD_UNROLL_TWICE _Pragma("GCC unroll 2")
#endif
