#include <cstdio>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "client/commands/commands.h"
#include "client/text.h"

namespace quantd {

void AddFormats(CLI::App& app, GlobalFlags& flags, Action& action) {
  app.add_subcommand("formats", "What this server can write")->callback([&] {
    action = [&] {
      return WithConnection(flags, [&](Connection& connection) -> absl::StatusOr<int> {
        v1::Capabilities capabilities;
        RETURN_IF_ERROR(connection.Call([&](grpc::ClientContext& context) {
          return connection.capabilities->GetCapabilities(&context, v1::GetCapabilitiesRequest(),
                                                          &capabilities);
        }));
        if (flags.json()) {
          PrintJson(capabilities);
          return 0;
        }
        std::vector<std::vector<std::string>> rows = {{"TARGET", "BITS/WEIGHT", "RUNTIME", "DESCRIPTION"}};
        for (const v1::Format& format : capabilities.engine().formats()) {
          for (const v1::Scheme& scheme : format.schemes()) {
            rows.push_back(
                {format.name() + ":" + scheme.name(),
                 scheme.bits_per_weight() > 0 ? absl::StrFormat("%.2f", scheme.bits_per_weight()) : "varies",
                 format.runtime(), scheme.description()});
          }
        }
        PrintTable(rows);
        std::printf("\n");
        rows = {{"OPTION", "OF", "MEANING"}};
        for (const v1::Format& format : capabilities.engine().formats()) {
          for (const v1::OptionSpec& option : format.options())
            rows.push_back({option.name(), format.name(), option.description()});
        }
        PrintTable(rows);
        const auto& devices = capabilities.engine().device_names();
        std::printf("\nEncodes on: %s\n", absl::StrJoin(devices, "; ").c_str());
        return 0;
      });
    };
  });
}

}  // namespace quantd
