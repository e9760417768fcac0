// Chooses the lanes of the target that is being compiled: `Lanes` in namespace quantd::quant::HWY_NAMESPACE.
// A codec's -inl.h file includes this and is then the same source for every CPU target (through
// hwy/foreach_target.h) and for CUDA.
#if defined(__CUDACC__)

#include "workers/quant/lanes/one_lane.h"
#undef HWY_NAMESPACE
#undef HWY_BEFORE_NAMESPACE
#undef HWY_AFTER_NAMESPACE
#define HWY_NAMESPACE cuda
#define HWY_BEFORE_NAMESPACE() static_assert(true)
#define HWY_AFTER_NAMESPACE() static_assert(true)

#else

#include <hwy/highway.h>

#include "workers/quant/lanes/one_lane.h"
#if HWY_TARGET != HWY_SCALAR
#include "workers/quant/lanes/vector_lanes-inl.h"
#endif

#endif

#if defined(QUANTD_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_INL_H_
#undef QUANTD_LANES_INL_H_
#else
#define QUANTD_LANES_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

#if defined(__CUDACC__) || HWY_TARGET == HWY_SCALAR
using Lanes = OneLane;
#else
using Lanes = VectorLanes;
#endif

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
