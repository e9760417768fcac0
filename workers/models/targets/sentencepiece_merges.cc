#include "workers/models/targets/sentencepiece_merges.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace quantd {
namespace {

struct Merge {
  size_t left;
  size_t right;
  float score;
  int64_t length;  // of the piece that it makes, in characters
};

// SentencePiece's own default is 16 characters; a longer piece is found as a whole or not at all.
constexpr size_t kLongestMerged = 512;

bool ContinuesCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

std::vector<std::pair<std::string, std::string>> MergesOfPieces(const std::vector<ScoredPiece>& pieces) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t i = 0; i < pieces.size(); ++i) ids.emplace(pieces[i].text, i);
  std::vector<Merge> merges;
  for (const ScoredPiece& piece : pieces) {
    const std::string_view text = piece.text;
    if (text.size() > kLongestMerged) continue;
    const int64_t length =
        std::count_if(text.begin(), text.end(), [](char byte) { return !ContinuesCharacter(byte); });
    const size_t first = merges.size();
    for (size_t cut = 1; cut < text.size(); ++cut) {
      if (ContinuesCharacter(text[cut])) continue;
      const auto left = ids.find(text.substr(0, cut)), right = ids.find(text.substr(cut));
      if (left != ids.end() && right != ids.end())
        merges.push_back({left->second, right->second, piece.score, length});
    }
    std::sort(merges.begin() + static_cast<std::ptrdiff_t>(first), merges.end(),
              [](const Merge& a, const Merge& b) {
                return std::pair(a.left, a.right) < std::pair(b.left, b.right);
              });
  }
  std::stable_sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    return a.score != b.score ? a.score > b.score : a.length > b.length;
  });
  std::vector<std::pair<std::string, std::string>> out;
  out.reserve(merges.size());
  for (const Merge& merge : merges) out.emplace_back(pieces[merge.left].text, pieces[merge.right].text);
  return out;
}

}  // namespace quantd
