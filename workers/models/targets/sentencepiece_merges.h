// SentencePiece's greedy choice by score, as the list of merges that a byte-pair encoder takes.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace quantd {

struct ScoredPiece {
  std::string text;  // UTF-8
  float score;
};

// Every way of making a piece of two others, best score first; among equals the longer text and, as in
// transformers' SentencePiece converter, the order of the parts in the vocabulary.
std::vector<std::pair<std::string, std::string>> MergesOfPieces(const std::vector<ScoredPiece>& pieces);

}  // namespace quantd
