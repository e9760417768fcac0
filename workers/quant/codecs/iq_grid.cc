// Where the grids come from. llama.cpp's author chose their points by how often groups of a model's weights
// fall near them, among the points of a lattice: those of E8 (and D4) are the groups of levels whose sum is
// even. Such a choice follows from no rule; what is kept here is one bit for each candidate, set where it was
// chosen, in ascending order of their packed levels and written in base 64. The sets equal the arrays kgrid_*
// of llama.cpp's ggml-quants.c (MIT licence, (c) the ggml authors), and everything else is computed from them
// as its functions iq2xs_init_impl and iq3xs_init_impl do.
#include "workers/quant/codecs/iq_grid.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace quantd::quant {
namespace {

// kgrid_2bit_256, kgrid_2bit_512, kgrid_2bit_1024, kgrid_1bit_2048, kgrid_256, kgrid_512.
constexpr char kIq2XxsChosen[] =
    "/m8lmQRlAgAEEGAQAAQAMhmghkE0ECAMIAMAgAEAlkFmAEAEAEAAAAQgAAAABkIgEEoEggEQgAAAhAAAAkFBAEAAAgACAAECAAAAAMgE"
    "ABAAoAAAAAgAABAAAGQAgIwAAAIgAAAwAAAAABkAgQAAEABAEAAAAAAAEAEEAAAEAAAAAAAAAAgAAAMlkihkAgEABFABEAEQgAEggAAg"
    "IAQgAAAAgAAAAABkAoAAAEAAAoQAAABAAEAlMAAEgAgAQAAAgAAAABAAAAAAGACAAAAABAAAgAAEJAAEAAAAEAAAAEAAAAAAkAgAgAEA"
    "ABAAAAEAAgAAoAAAAAAGAAAEAAAAAAAAAACAAAAAAAAAAAAAAAAAGQBAAQAEEEAAAABAAAAABlAgEAAEAAQAAgBAEAgAAQAAAAAAgAAA"
    "AAAIAAAAAEgkAAAIAQAAEAAAAIAAAEAQgAAAAAAIAAAAAAAAAAAAAAIAAAgAAAAAAAAAAAQAAgBAAIAAAAAEAAAAAAAEAAAAAAAAAAAA"
    "AAAAAAAAAEAAAEAAAAAAAAAAAAAA";
constexpr char kIq2XsChosen[] =
    "//v9nth/89ksgHshlAiAP9nuhkA9kMhEABkCwAEAH8pkggEcgEABIAgEgAACh/s9kcgHshkAgwOgEAgAA9kNgkABkAgAAAEEAIAAAMwE"
    "EAQAoAAAQAAAABAAAP8hkAgEMgEgIAAgCAAEAFkBgAAAEABCAAIICAAAACmEAIAgQAAAAggAggAAWAP9n8pkA9kMgFARmBgAAAHthkAg"
    "gMgkAAAQiAEgAABkAoiAAEIAkBAAEAAAAAA9ksgEABlAwAAAEAAgAAAchEAhAIkAAAEgAAIAAgBEEBEAAIACGAAAAAAAABABkAgiCAMA"
    "AAAAAAAgQACAgQAAAAAEAoAAAgAAAAAAIAAACAAABAAAAAQAAiAAHsjkAwA+gEJAAAgEAAGAlnAgEBAEAAgAABAEAACAAkBACGAEQAAA"
    "AAAAQAAkQsgECAgAgCAAgAAAAAQBAFAAkgAAAAIAAGAAAIAAAAAABAAAQAAIAAAAIAAgAA2EQAAAgAABIAAWgCAAgEAAEAABAAAAAAAA"
    "AAABAEAQ0AAAEkAAAAwAAAwAAICA";
constexpr char kIq2SChosen[] =
    "//v9/sr/s99s5nsj9AqiP9//59s/9v9nsh9AtkMgHvr/sogc9FshEAhiwgABB/u9/utn/9/s9gNplMBkA99v9nsh/s9kMgFshkAgAftH"
    "shgA9kMgIAQkAgQAAHvrnEigc5HMhkAiC0gAwF9s9kMgFshkCgAMgEBAAApgMgAQDkAAAAIAQQAEGAP/3/5ls9/P9nshnktkMAH/9/s9"
    "kP9nsjkA9kMgEAJvs9kEgHshkAgQMgEAAAA9/v9nsB/s9kMgFshkBgAP9nshkA9kMgEABkCgAAAHshkQgAMgEAAAAgIAABAF3stkEgHs"
    "hkAgIEgECAAItkMgEABkAiAgQEAAAAAgMgAAIAggAQAAAAAAQAABHtpnopgN9nsBkBrgMgAAB/o9kMgHshkAiAMgMAAAApgMgAARgAgB"
    "AAAAQAwQCN8nshkApgMiAABkAgAAAXshkAgQMgEAAAogACAgABkCgAAAMAAKAAAAAAAAEAqicgAASAAgBAACQWAAWAsgEAAIEgIAAAAA"
    "AABAAAAQEAAACAAAEAQAGGgAAgCA";
constexpr char kIq1Chosen[] =
    "qqQooQVAQooQoowVYQRRRVgQVAQooQooQQQioqSooAVAQQQRGAAQQQXAVAUR3VVQCVXQAEQAUFUxQQUQAooQooQRAQooQooQUQwQGQUQ"
    "AVQQooQooQQSQqoQooA0QwUEUWQAVCQVVUUQR/UQEBQUAAVAQhRVFAQVAQRQ2RCdXRUEU3WRRXVVXD7XV13dQXAdRF1Ty3BJQEQARAQV"
    "UV1QQUAQAFRSB0XcRATURQCBAoFVURQQRIAooQqoQQSQooQqoQUQQMQVXAQhQQQqQooQRQQQqQooQFQQHRVBAQUSQAQQQUUWRUAU1VQQ"
    "oQQQQQwQogIAooQooQUAQooAooCUQQBRQVQQhQwooAooQRQQooQooQRAQARVVAAESI1RdRQVXYVVFQ4AQVAQQBREQCEAQQASAQVXDVRV"
    "QwTRXURXW+XR0XYVSQ1UVU7RUSIwVAQSIQIUUVQQVQQTM0VERfVZBRcVQABAAFQVEQAEAQXRRUUUXQUBQUxQXX0dXX/XRQXURRBRUBRX"
    "RQCFTEAwXyVXe/fUFXSxfX7XX+/+/We+XXuW3+T//WRfSJeHUUQIVX1wIVUQTRXQQXX/XSSXwQEgRjQWTxVQJdQAQFQQEEdVSABAQVRQ"
    "ZQSTQZEJQRQARQAxAcgAQRAQADZRVVXdQGV9UQVTQAHW6XQLTZcIQQh0VXsUqIulIABQQQBRQQQQgIUEQVWcXURMIQWQARgAUUVGQIEo"
    "IooAooQ1QQooQooQVQQUVeFQSFQQooQooAUQQooQooAEQAUCRUQAEQAQRRBWUXYdVVUBAARQQUcTRIQQIgooQoqQUQSooQooYVAQVVRU"
    "AQBQQooQooQVAAooQooQRwQRQVAYQVQQVUVVUQ3RQFBUVQQUQQFVUBQQFACVEUBEBX3QFB0QUV3STXX/XSUfdVUEShQWbQUMZwFQQBQQ"
    "RFZGAQRQQFVV1FVXRZUFRRAQCAQFUUQAQXAAooQooQVQAooQooSVYABSVUAQpQAIsCIoQRQQooQooAAQQUE1TwQAAABVUBRQXQRXRUAA"
    "QRKQFJcoAIjSoooAooAVQAooQooQESQQERRQAhAAooAooAVAAooQooA=";
constexpr char kIq3XxsChosen[] =
    "7chABsysggjozQkCnCAACAQBIQaQBAQAAAIAIAsAQIDMzhgAyMAAAMyIAATAiBAQoAAIAACgEAggAAAAAECAAMzYQADsiABYycGCAIoA"
    "AAoAAgQAQBCAAgAAAADBACAAjMAIJMCIMADIIAQECAQAAAAIEASQQAIAAgEAQAAEAIAhAwUAAAAAAgCBgJAQACAAIAAIIAAgQAgAAAAA"
    "LAgAAAQAgAiQEAIAAgQABEAABAAIUAAEQAgAAAAACAAAIEAAACAwIACAAIABAAAgAAkAAAAAIAAgAAQAAAQAAECAAAB4BAQAABCAAAQA"
    "JACCBACAAICAAMAgAAAACAAAAAAAAA==";
constexpr char kIq3SChosen[] =
    "5erEEKVQoEnoxJFECABEIMWSRIglUACQEESgUgigAUSAEUggkEAAgCgAohBFAAIQAlAAQAAgAECoAKIQAIgAAOjVoEoACkAg0ohAkECg"
    "AIKAJYggkASAIEmQQYhAACCAFCgAUCKIAABAkECgAEAAAAAAiQAKAAAAUKBABEAAIIDVqlGgVKABlKCRJEggQAAASQBQgUARAEikQChQ"
    "IIACAEEAkCRAAAAkCEAgAYAQAIChAEAAAARAAARAAoAQgAAAIFUgVClAEEBUCFAAgACAIoAggCgAgAAAQIhRgFEEABAQQiBAACCIAECg"
    "BCAIAgAQAAIAAEAAAABQAKAEAAAAAIggiSBAgACAIVAghBBEAABQhEAQgAEggAhQoEQAAAAAoAAIAYAAAEAFAEAAAAAgAAAQAAgAAIAA"
    "AIQAgBBAAAAgiCAAiSACCFQgQCAAAAAggEAQggAQAAAhgAEACEAEEEgAgCACAAAAACACAABQAAAAAAAAIAAAACgAIAAAAAAAAFQAUAAA"
    "gACAAIEAAAAIAAAgAAggBCCAgAhAAIAAAAAAAAQAEAAgAJAAAAgAAIAABAAAAIAAAAAAUAAAAAAAAIkAoAKACCAAIEAIABQAAABIgkCA"
    "AEAAACAAACQAEAAARBCAAACAAAAAACAAIAAAACAAAEAAAAAAgAAAAAAAAAA=";

struct Specification {
  int coordinates;
  int level_bits;  // of packed levels
  int levels;
  bool even;   // whether only groups of an even sum are candidates
  int shells;  // how many of the smallest distances a list takes in
  absl::string_view chosen;
};

const Specification& SpecificationOf(IqGridName name) {
  static constexpr Specification kSpecifications[] = {
      {8, 2, 3, true, 2, kIq2XxsChosen}, {8, 2, 3, true, 2, kIq2XsChosen},  {8, 2, 3, true, 1, kIq2SChosen},
      {8, 2, 3, false, 3, kIq1Chosen},   {4, 3, 8, true, 2, kIq3XxsChosen}, {4, 3, 8, false, 3, kIq3SChosen},
  };
  return kSpecifications[static_cast<int>(name)];
}

constexpr int kMaxCoordinates = 8;
using Levels = std::array<int, kMaxCoordinates>;  // zeros after the grid's coordinates

// Makes the arrays of one grid.
class GridMaker {
 public:
  explicit GridMaker(const Specification& specification) : specification_(specification) {}

  IqGridArrays Make() {
    ChoosePoints();
    const int codes = 1 << (specification_.coordinates * specification_.level_bits);
    arrays_.cells.assign(static_cast<size_t>(codes), 0);
    arrays_.near_cells = arrays_.cells;
    for (int packed = 0; packed < codes; ++packed) {
      const Levels levels = LevelsOf(packed);
      if (*std::max_element(levels.begin(), levels.end()) < specification_.levels) MakeCell(packed, levels);
    }
    AppendLongLists();
    arrays_.lists.resize(arrays_.lists.size() + kIqListPadding);
    return std::move(arrays_);
  }

 private:
  Levels LevelsOf(int packed) const {
    Levels levels = {};
    for (int i = 0; i < specification_.coordinates; ++i) {
      levels[static_cast<size_t>(i)] =
          packed >> (specification_.level_bits * i) & ((1 << specification_.level_bits) - 1);
    }
    return levels;
  }

  bool IsCandidate(const Levels& levels) const {
    int sum = 0;
    for (int level : levels) {
      if (level >= specification_.levels) return false;
      sum += level;
    }
    return !specification_.even || sum % 2 == 0;
  }

  void ChoosePoints() {
    std::string chosen;
    absl::Base64Unescape(specification_.chosen, &chosen);
    const int codes = 1 << (specification_.coordinates * specification_.level_bits);
    size_t candidate = 0;
    for (int packed = 0; packed < codes; ++packed) {
      const Levels levels = LevelsOf(packed);
      if (!IsCandidate(levels)) continue;
      if (chosen[candidate / 8] >> (7 - candidate % 8) & 1) AddPoint(packed, levels);
      ++candidate;
    }
  }

  void AddPoint(int packed, const Levels& levels) {
    for (size_t i = 0; i < kMaxCoordinates; ++i) coordinates_[i].push_back(static_cast<int16_t>(levels[i]));
    arrays_.points.push_back(packed);
  }

  void MakeCell(int packed, const Levels& levels) {
    const std::vector<int32_t>& points = arrays_.points;
    const auto at = std::lower_bound(points.begin(), points.end(), packed);
    if (at != points.end() && *at == packed) {
      const auto index = static_cast<int32_t>(at - points.begin());
      arrays_.cells[static_cast<size_t>(packed)] = index;
      arrays_.near_cells[static_cast<size_t>(packed)] = index;
      return;
    }
    const std::vector<int> list = PointsNear(levels);
    arrays_.cells[static_cast<size_t>(packed)] = StoreList(list, long_lists_);
    arrays_.near_cells[static_cast<size_t>(packed)] =
        StoreList(WithoutDominated(list, levels), arrays_.lists);
  }

  // Indices of all points within the `shells` smallest distances, ascending by (distance, index).
  std::vector<int> PointsNear(const Levels& levels) {
    distances_.assign(arrays_.points.size(), 0);
    for (int i = 0; i < specification_.coordinates; ++i) {
      const std::vector<int16_t>& coordinates = coordinates_[static_cast<size_t>(i)];
      const auto level = static_cast<int16_t>(levels[static_cast<size_t>(i)]);
      for (size_t point = 0; point < distances_.size(); ++point) {
        const auto difference = static_cast<int16_t>(coordinates[point] - level);
        distances_[point] = static_cast<int16_t>(distances_[point] + difference * difference);
      }
    }
    std::vector<int> list;
    int shell = -1;
    for (int taken = 0; taken < specification_.shells; ++taken) {
      shell = SmallestDistanceAbove(shell);
      for (size_t point = 0; point < distances_.size(); ++point) {
        if (distances_[point] == shell) list.push_back(static_cast<int>(point));
      }
    }
    return list;
  }

  int SmallestDistanceAbove(int bound) const {
    int smallest = INT16_MAX;
    for (int16_t distance : distances_)
      smallest = distance > bound ? std::min<int>(smallest, distance) : smallest;
    return smallest;
  }

  // Leaves out what cannot win: the points for which an earlier one of the list lies between the cell and
  // them, in every coordinate. That one is as near to any weights of the cell, and of equals the first wins.
  std::vector<int> WithoutDominated(const std::vector<int>& list, const Levels& levels) const {
    std::vector<int> kept;
    for (int point : list) {
      const auto is_between = [&](int earlier) { return IsBetween(earlier, levels, point); };
      if (std::none_of(kept.begin(), kept.end(), is_between)) kept.push_back(point);
    }
    return kept;
  }

  bool IsBetween(int earlier, const Levels& levels, int point) const {
    for (int i = 0; i < specification_.coordinates; ++i) {
      const std::vector<int16_t>& coordinates = coordinates_[static_cast<size_t>(i)];
      const int from = levels[static_cast<size_t>(i)], to = coordinates[static_cast<size_t>(point)];
      const int middle = coordinates[static_cast<size_t>(earlier)];
      if (middle < std::min(from, to) || middle > std::max(from, to)) return false;
    }
    return true;
  }

  // Returns the cell.
  int32_t StoreList(const std::vector<int>& list, std::vector<int32_t>& lists) const {
    const size_t first = lists.size();
    for (int point : list) lists.push_back(arrays_.points[static_cast<size_t>(point)]);
    return INT32_MIN | static_cast<int32_t>(first << IqList::kCountBits) | static_cast<int32_t>(list.size());
  }

  // The short lists come first and all together: they are read often, and fit in a second-level cache.
  void AppendLongLists() {
    const auto first = static_cast<int32_t>(arrays_.lists.size()) << IqList::kCountBits;
    for (int32_t& cell : arrays_.cells) cell += cell < 0 ? first : 0;
    arrays_.lists.insert(arrays_.lists.end(), long_lists_.begin(), long_lists_.end());
  }

  const Specification& specification_;
  IqGridArrays arrays_;
  std::vector<int32_t> long_lists_;  // of `cells`; those of `near_cells` are in `arrays_`
  std::array<std::vector<int16_t>, kMaxCoordinates> coordinates_;  // the levels of each point
  std::vector<int16_t> distances_;                                 // of each point, from one cell
};

template <IqGridName kName>
const IqGridArrays& Grid() {
  static const auto& arrays = *new IqGridArrays(GridMaker(SpecificationOf(kName)).Make());
  return arrays;
}

}  // namespace

const IqGridArrays& IqGridOf(IqGridName name) {
  switch (name) {
    case IqGridName::kIq2Xxs:
      return Grid<IqGridName::kIq2Xxs>();
    case IqGridName::kIq2Xs:
      return Grid<IqGridName::kIq2Xs>();
    case IqGridName::kIq2S:
      return Grid<IqGridName::kIq2S>();
    case IqGridName::kIq1:
      return Grid<IqGridName::kIq1>();
    case IqGridName::kIq3Xxs:
      return Grid<IqGridName::kIq3Xxs>();
    case IqGridName::kIq3S:
      break;
  }
  return Grid<IqGridName::kIq3S>();
}

}  // namespace quantd::quant
