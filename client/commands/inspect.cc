#include <cstdio>

#include "absl/strings/str_join.h"
#include "base/json.h"
#include "client/commands/commands.h"
#include "client/errors.h"
#include "client/text.h"
#include "workers/models/model.h"

namespace quantd {
namespace {

int Inspect(const std::string& path, bool json) {
  absl::StatusOr<CheckpointFiles> files = OpenLocalCheckpoint(path);
  if (!files.ok()) return Fail(files.status());
  absl::StatusOr<Model> model = OpenModel(*files, path);
  if (!model.ok()) return Fail(model.status());
  if (json) {
    Json tensors = Json::array();
    for (const ModelTensor& tensor : model->tensors) {
      tensors.push_back({{"name", tensor.source.name},
                         {"type", tensor.source.codec->name()},
                         {"shape", tensor.source.shape},
                         {"file", tensor.source.path}});
    }
    const Json out = {{"architecture", model->architecture->name},
                      {"parameter_count", model->ParameterCount()},
                      {"tensors", tensors}};
    std::printf("%s\n", out.dump().c_str());
    return kDone;
  }
  std::printf("%s, %s parameters\n", std::string(model->architecture->name).c_str(),
              FormatCount(static_cast<int64_t>(model->ParameterCount())).c_str());
  std::vector<std::vector<std::string>> rows = {{"TENSOR", "TYPE", "SHAPE", "FILE"}};
  for (const ModelTensor& tensor : model->tensors) {
    rows.push_back({tensor.source.name, std::string(tensor.source.codec->name()),
                    absl::StrJoin(tensor.source.shape, "×"), tensor.source.path});
  }
  PrintTable(rows);
  return kDone;
}

}  // namespace

void AddInspect(CLI::App& app, GlobalFlags& flags, Action& action) {
  auto path = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("inspect", "Header of a local checkpoint, without a server");
  command->add_option("path", *path, "Folder or .gguf file")->required();
  command->callback([&, path] { action = [&, path] { return Inspect(*path, flags.json()); }; });
}

}  // namespace quantd
