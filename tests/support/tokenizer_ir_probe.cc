// Writes the tokenizer of an OpenVINO folder alone: `tokenizer_ir_probe CHECKPOINT FOLDER`. For tests that
// run it.
#include <cstdio>
#include <fstream>
#include <string>

#include "base/status.h"
#include "workers/models/targets/huggingface_folder.h"
#include "workers/models/targets/openvino/tokenizer_ir.h"

namespace quantd {
namespace {

absl::Status Run(int argc, char** argv) {
  if (argc != 3) return absl::InvalidArgumentError("usage: tokenizer_ir_probe CHECKPOINT FOLDER");
  ASSIGN_OR_RETURN(CheckpointFiles files, OpenLocalCheckpoint(argv[1]));
  ASSIGN_OR_RETURN(Model model, OpenModel(files, "probe"));
  std::vector<std::string> notes;
  ASSIGN_OR_RETURN(std::vector<SidecarFile> sources, TokenizerJsonSidecars(model, notes));
  ASSIGN_OR_RETURN(std::vector<SidecarFile> sidecars, MakeTokenizerIr(model, sources));
  for (const SidecarFile& sidecar : sidecars) {
    std::ofstream file(std::string(argv[2]) + "/" + sidecar.path, std::ios::binary);
    if (!(file << sidecar.content).flush()) return absl::InternalError("can't write " + sidecar.path);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace quantd

int main(int argc, char** argv) {
  const absl::Status status = quantd::Run(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "tokenizer_ir_probe: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
