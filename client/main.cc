// quantctl: the command-line client.
#include <cstdio>

#include "client/commands/commands.h"
#include "client/errors.h"

namespace quantd {
namespace {

int Main(int argc, char** argv) {
  CLI::App app("quantctl: upload checkpoints to quantd, quantize them, fetch the results", "quantctl");
  GlobalFlags flags;
  Action action;
  AddCommands(app, flags, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "quantctl: %s; `quantctl --help` tells more\n", OneLine(error.what()).c_str());
    return kWrongUsage;
  }
  return action();
}

}  // namespace
}  // namespace quantd

int main(int argc, char** argv) { return quantd::Main(argc, argv); }
