#include "client/commands/commands.h"

namespace quantd {

void AddCommands(CLI::App& app, GlobalFlags& flags, Action& action) {
  app.require_subcommand(1);
  // The program's flags may stand after a command, too.
  app.fallthrough();
  app.add_option("--server", flags.connection.server, "Address of quantd, HOST:PORT or unix:PATH")
      ->envname("QUANTD_SERVER")
      ->capture_default_str();
  CallerFiles& credentials = flags.connection.credentials;
  app.add_option("--ca", credentials.ca,
                 "PEM file of the authority that signed the server's certificate; without it no TLS")
      ->envname("QUANTCTL_CA");
  app.add_option("--cert", credentials.certificate, "PEM file of the client's certificate")
      ->envname("QUANTCTL_CERT");
  app.add_option("--key", credentials.key, "PEM file of the client's key")->envname("QUANTCTL_KEY");
  app.add_option("--token-file", credentials.token_file, "File with a bearer token, its owner's alone")
      ->envname("QUANTCTL_TOKEN_FILE");
  app.add_option("-o", flags.output, "How to print: table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->take_last()
      ->capture_default_str();
  AddUpload(app, flags, action);
  AddModels(app, flags, action);
  AddFormats(app, flags, action);
  AddPlan(app, flags, action);
  AddQuantize(app, flags, action);
  AddJobs(app, flags, action);
  AddFetch(app, flags, action);
  AddInspect(app, flags, action);
  AddHealth(app, flags, action);
  AddAdmin(app, flags, action);
  AddVersion(app, flags, action);
  AddCompletion(app, action);
}

}  // namespace quantd
