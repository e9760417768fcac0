#include <cstdio>

#include "base/status.h"
#include "client/commands/commands.h"
#include "client/output.h"
#include "client/uploader.h"

namespace quantd {
namespace {

struct ModelFlags {
  std::string path;
  std::string name;
};

}  // namespace

void AddUpload(CLI::App& app, GlobalFlags& flags, Action& action) {
  auto own = std::make_shared<ModelFlags>();
  CLI::App* command = app.add_subcommand("upload", "Upload a checkpoint; prints the model's name");
  command->add_option("path", own->path, "Folder or file")->required();
  command->add_option("--name", own->name, "Name for people; default: the folder's");
  command->callback([&, own] {
    action = [&, own] {
      return WithConnection(flags, [&](Connection& connection) -> absl::StatusOr<int> {
        ASSIGN_OR_RETURN(v1::Model model, UploadCheckpoint(connection, own->path, own->name));
        std::printf("%s\n", flags.json() ? ToJson(model).c_str() : model.name().c_str());
        return 0;
      });
    };
  });
}

void AddModels(CLI::App& app, GlobalFlags& flags, Action& action) {
  CLI::App* models = app.add_subcommand("models", "Uploaded checkpoints")->require_subcommand(1);
  models->add_subcommand("list", "All models, newest first")->callback([&] {
    action = [&] {
      return WithConnection(flags, [&](Connection& connection) -> absl::StatusOr<int> {
        v1::ListModelsRequest request;
        v1::ListModelsResponse all;
        do {
          v1::ListModelsResponse page;
          RETURN_IF_ERROR(connection.Call([&](grpc::ClientContext& context) {
            return connection.models->ListModels(&context, request, &page);
          }));
          all.mutable_models()->MergeFrom(page.models());
          request.set_page_token(page.next_page_token());
        } while (!request.page_token().empty());
        if (flags.json()) {
          std::printf("%s\n", ToJson(all).c_str());
          return 0;
        }
        std::vector<std::vector<std::string>> rows = {
            {"MODEL", "NAME", "STATE", "ARCHITECTURE", "PARAMETERS"}};
        for (const v1::Model& model : all.models()) {
          rows.push_back({model.name(), model.display_name(), v1::Model::State_Name(model.state()),
                          model.summary().architecture(), std::to_string(model.summary().parameter_count())});
        }
        PrintTable(rows);
        return 0;
      });
    };
  });
  auto own = std::make_shared<ModelFlags>();
  CLI::App* show = models->add_subcommand("show", "One model with its files and tensors");
  show->add_option("model", own->name, "models/ID")->required();
  show->callback([&, own] {
    action = [&, own] {
      return WithConnection(flags, [&](Connection& connection) -> absl::StatusOr<int> {
        v1::GetModelRequest request;
        request.set_name(own->name);
        v1::Model model;
        RETURN_IF_ERROR(connection.Call([&](grpc::ClientContext& context) {
          return connection.models->GetModel(&context, request, &model);
        }));
        if (flags.json()) {
          std::printf("%s\n", ToJson(model).c_str());
          return 0;
        }
        std::printf("%s  %s  %s  %s\n", model.name().c_str(), model.display_name().c_str(),
                    v1::Model::State_Name(model.state()).c_str(), model.error().c_str());
        std::vector<std::vector<std::string>> rows = {{"FILE", "SIZE", "SHA256"}};
        for (const v1::ModelFile& file : model.files())
          rows.push_back({file.path(), FormatBytes(file.size()), file.sha256()});
        PrintTable(rows);
        return 0;
      });
    };
  });
  CLI::App* remove = models->add_subcommand("delete", "Remove a model");
  remove->add_option("model", own->name, "models/ID")->required();
  remove->callback([&, own] {
    action = [&, own] {
      return WithConnection(flags, [&](Connection& connection) -> absl::StatusOr<int> {
        v1::DeleteModelRequest request;
        request.set_name(own->name);
        google::protobuf::Empty response;
        RETURN_IF_ERROR(connection.Call([&](grpc::ClientContext& context) {
          return connection.models->DeleteModel(&context, request, &response);
        }));
        return 0;
      });
    };
  });
}

}  // namespace quantd
