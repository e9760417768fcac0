#include <cstdio>

#include "absl/strings/str_join.h"
#include "base/status.h"
#include "client/commands/commands.h"
#include "client/errors.h"
#include "client/text.h"
#include "client/uploader.h"

namespace quantd {
namespace {

struct ModelFlags {
  std::string path;
  std::string name;
  PageFlags page;
};

absl::StatusOr<int> Upload(Connection& connection, const ModelFlags& own, bool json) {
  ASSIGN_OR_RETURN(v1::Model model, UploadCheckpoint(connection, own.path, own.name));
  std::printf("%s\n", json ? ToJson(model).c_str() : model.name().c_str());
  return kDone;
}

absl::StatusOr<int> List(Connection& connection, const PageFlags& page, bool json) {
  ASSIGN_OR_RETURN(const v1::ListModelsResponse all,
                   ListPages<v1::ListModelsResponse>(connection, v1::ListModelsRequest(), page,
                                                     [&](auto* context, const auto& request, auto* next) {
                                                       return connection.models->ListModels(context, request,
                                                                                            next);
                                                     }));
  if (json) {
    PrintJson(all);
    return kDone;
  }
  std::vector<std::vector<std::string>> rows = {
      {"MODEL", "NAME", "STATE", "ARCHITECTURE", "PARAMETERS", "CREATED"}};
  for (const v1::Model& model : all.models()) {
    rows.push_back({model.name(), OneLine(model.display_name()), v1::Model::State_Name(model.state()),
                    model.summary().architecture(), FormatCount(model.summary().parameter_count()),
                    FormatTime(model.create_time())});
  }
  PrintTable(rows);
  page.TellNext(all.next_page_token(), json);
  return kDone;
}

void Print(const v1::Model& model) {
  std::vector<std::vector<std::string>> facts = {{"model", model.name()},
                                                 {"name", OneLine(model.display_name())},
                                                 {"state", v1::Model::State_Name(model.state())},
                                                 {"created", FormatTime(model.create_time())}};
  if (!model.error().empty()) facts.push_back({"error", OneLine(model.error())});
  if (model.has_summary()) {
    const v1::ModelSummary& summary = model.summary();
    facts.push_back({"format", summary.source_format()});
    facts.push_back({"architecture", summary.architecture()});
    facts.push_back({"parameters", FormatCount(summary.parameter_count())});
    const std::map<std::string, std::string> sorted(summary.facts().begin(), summary.facts().end());
    for (const auto& [key, value] : sorted) facts.push_back({key, OneLine(value)});
  }
  PrintTable(facts);
  std::vector<std::vector<std::string>> files = {{"FILE", "SIZE", "SHA256"}};
  for (const v1::ModelFile& file : model.files())
    files.push_back({file.path(), FormatBytes(file.size()), file.sha256()});
  std::printf("\n");
  PrintTable(files);
  if (model.summary().tensors_size() == 0) return;
  std::vector<std::vector<std::string>> tensors = {{"TENSOR", "TYPE", "SHAPE", "FILE"}};
  for (const v1::ModelTensor& tensor : model.summary().tensors()) {
    tensors.push_back(
        {OneLine(tensor.name()), tensor.type(), absl::StrJoin(tensor.shape(), "×"), tensor.file()});
  }
  std::printf("\n");
  PrintTable(tensors);
}

absl::StatusOr<int> Show(Connection& connection, const std::string& name, bool json) {
  v1::GetModelRequest request;
  request.set_name(name);
  v1::Model model;
  RETURN_IF_ERROR(connection.Call(
      [&](grpc::ClientContext& context) { return connection.models->GetModel(&context, request, &model); }));
  json ? PrintJson(model) : Print(model);
  return kDone;
}

absl::StatusOr<int> Delete(Connection& connection, const std::string& name, bool json) {
  v1::DeleteModelRequest request;
  request.set_name(name);
  google::protobuf::Empty response;
  RETURN_IF_ERROR(connection.Call([&](grpc::ClientContext& context) {
    return connection.models->DeleteModel(&context, request, &response);
  }));
  if (json) PrintJson(response);
  return kDone;
}

}  // namespace

void AddUpload(CLI::App& app, GlobalFlags& flags, Action& action) {
  auto own = std::make_shared<ModelFlags>();
  CLI::App* command = app.add_subcommand("upload", "Upload a checkpoint; prints the model's name");
  command->add_option("path", own->path, "Folder or .gguf file")->required();
  command->add_option("--name", own->name, "Name for people; default: the folder's");
  command->callback([&, own] {
    action = [&, own] {
      return WithConnection(flags, [&](Connection& server) { return Upload(server, *own, flags.json()); });
    };
  });
}

void AddModels(CLI::App& app, GlobalFlags& flags, Action& action) {
  CLI::App* models = app.add_subcommand("models", "Uploaded checkpoints")->require_subcommand(1);
  auto own = std::make_shared<ModelFlags>();
  CLI::App* list = models->add_subcommand("list", "All models, newest first");
  own->page.AddTo(*list);
  list->callback([&, own] {
    action = [&, own] {
      return WithConnection(flags, [&](Connection& server) { return List(server, own->page, flags.json()); });
    };
  });
  const auto add = [&](const char* name, const char* help, auto body) {
    CLI::App* command = models->add_subcommand(name, help);
    command->add_option("model", own->name, "models/ID or ID")->required();
    command->callback([&, own, body] {
      action = [&, own, body] {
        return WithConnection(flags, [&](Connection& server) {
          return body(server, ResourceName("models", own->name), flags.json());
        });
      };
    });
  };
  add("show", "One model with its files and tensors", Show);
  add("delete", "Remove a model", Delete);
}

}  // namespace quantd
