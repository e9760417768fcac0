// quantctl: the command-line client.
#include <cstdio>

#include "client/commands/commands.h"
#include "client/errors.h"

namespace quantd {
namespace {

constexpr char kClientVersion[] = "0.1.0";

int Main(int argc, char** argv) {
  CLI::App app("quantctl: upload checkpoints to quantd, quantize them, fetch the results");
  app.require_subcommand(1);
  GlobalFlags flags;
  Action action;
  app.add_option("--server", flags.connection.server, "Address of quantd, HOST:PORT or unix:PATH")
      ->envname("QUANTD_SERVER")
      ->capture_default_str();
  app.add_option("--ca", flags.connection.ca,
                 "PEM file of the authority that signed the server's certificate");
  app.add_option("--cert", flags.connection.certificate, "PEM file of the client's certificate");
  app.add_option("--key", flags.connection.key, "PEM file of the client's key");
  app.add_option("--token-file", flags.connection.token_file, "File with a bearer token");
  app.add_option("-o", flags.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  AddUpload(app, flags, action);
  AddModels(app, flags, action);
  AddFormats(app, flags, action);
  AddPlan(app, flags, action);
  AddQuantize(app, flags, action);
  AddJobs(app, flags, action);
  AddFetch(app, flags, action);
  AddInspect(app, flags, action);
  app.add_subcommand("version", "Version of this program")->callback([&] {
    action = [] {
      std::printf("quantctl %s\n", kClientVersion);
      return static_cast<int>(kDone);
    };
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kWrongUsage;
  }
  return action();
}

}  // namespace
}  // namespace quantd

int main(int argc, char** argv) { return quantd::Main(argc, argv); }
