// What lane code reads and writes on a CPU: tiles whose rows are [index][lane].
#include <cstdint>

#include "workers/quant/lanes/lanes-inl.h"

#if defined(QUANTD_LANES_VIEWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_LANES_VIEWS_INL_H_
#undef QUANTD_LANES_VIEWS_INL_H_
#else
#define QUANTD_LANES_VIEWS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace quantd::quant::HWY_NAMESPACE {

// The weights (or the importance) of one block in each lane.
template <class L>
class TileView {
 public:
  static constexpr bool kPresent = true;
  explicit QUANTD_LANE TileView(const float* tile) : tile_(tile) {}
  QUANTD_LANE typename L::Float operator[](int i) const { return L::Load(tile_ + i * L::kCount); }
  // Elements first … first + N of the block; a GPU keeps them in registers.
  template <int N>
  QUANTD_LANE TileView Slice(int first) const {
    return TileView(tile_ + first * L::kCount);
  }

 private:
  const float* tile_;
};

// The importance of one block's columns in each lane, and the mean square of the row that the block belongs
// to, for codecs that use it.
template <class L>
class ImportanceView : public TileView<L> {
 public:
  QUANTD_LANE ImportanceView(const float* tile, const float* row_mean_squares)
      : TileView<L>(tile), row_mean_squares_(row_mean_squares) {}
  QUANTD_LANE typename L::Float RowMeanSquare() const { return L::Load(row_mean_squares_); }

 private:
  const float* row_mean_squares_;
};

// In the place of an importance tile where there is none.
struct NoImportance {
  static constexpr bool kPresent = false;
  template <int N>
  QUANTD_LANE NoImportance Slice(int) const {
    return {};
  }
};

// The bytes of one stored block in each lane, as little-endian 32-bit words.
template <class L>
class WordTile {
 public:
  explicit QUANTD_LANE WordTile(uint32_t* words) : words_(words) {}
  QUANTD_LANE void Set(int word, typename L::Int value) { L::Store(value, words_ + word * L::kCount); }
  QUANTD_LANE typename L::Int Get(int word) const { return L::LoadInt(words_ + word * L::kCount); }

 private:
  uint32_t* words_;
};

}  // namespace quantd::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
