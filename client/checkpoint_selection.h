// Which files of a folder are the checkpoint.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace quantd {

struct CheckpointSelection {
  struct File {
    // Path in the checkpoint: the file's name.
    std::string path;
    // Where its bytes are.
    std::string local;
  };
  // What a model of this checkpoint is called: the folder's name, or the file's without ".gguf".
  std::string name;
  // Sorted by path.
  std::vector<File> files;
  // "pytorch_model.bin: pickled weights are not read", in the order of names: what is there and is not sent.
  std::vector<std::string> skipped;
};

// `path` is a folder in Hugging Face's layout (*.safetensors with its JSON, tokenizer and template files), a
// folder with one GGUF (in one file or in -00001-of-0000N parts), or one .gguf file. Safetensors go before a
// GGUF beside them.
// Hidden files stay out, and so do links that lead out of the folder; in a snapshot of the Hugging Face
// cache, links to that repository's blobs are files. NOT_FOUND when there is no such path; INVALID_ARGUMENT
// when it holds no weights that can be used, or several models.
absl::StatusOr<CheckpointSelection> SelectCheckpoint(const std::string& path);

}  // namespace quantd
