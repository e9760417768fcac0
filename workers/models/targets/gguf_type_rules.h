// llama-quantize's rules for the types of a GGUF file's matrices (llama.cpp, src/llama-quant.cpp), as tables
// of names.
#pragma once

#include <cstdint>
#include <string_view>

#include "workers/models/architecture.h"
#include "workers/models/targets/gguf_file_types.h"

namespace quantd {

// What the rules ask about a matrix and its model.
struct MatrixPlace {
  TensorRole role;                // as RoleInMix gives it
  int64_t index = 0;              // among the matrices of that role
  bool is_whole_blocks = true;    // its columns are a multiple of the file type's block
  int64_t layers = 0;             // of the model
  int64_t queries_per_value = 1;  // query heads that share a value head
  bool is_70b = false;            // Llama 2 and 3 of 70 G weights
  bool has_importance = false;    // the job has an importance matrix
};

// The role that the rules see: fused projections count as the part that suffers most, and the embedding of a
// model that has no output matrix is its output.
TensorRole RoleInMix(TensorRole role, bool is_tied);

// The type that a file of `file_type` gives the matrix.
std::string_view TypeInMix(const GgufFileType& file_type, const MatrixPlace& place);

// What takes the place of a type whose blocks do not divide a matrix's columns, but smaller ones may; the
// type itself where there is none.
std::string_view TypeOfSmallerBlocks(std::string_view type);

// Whether llama-quantize refuses to make such a file with a matrix of that type, other than the embedding or
// the output, without an importance of its columns: it would be garbage.
bool IsUselessWithoutImportance(const GgufFileType& file_type, std::string_view type);

}  // namespace quantd
