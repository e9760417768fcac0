// Completion scripts for shells, made from the command line's own description.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace quantd {

// `shell` is "bash", "zsh" or "fish". The script completes subcommands, flags and the values of flags that
// have a fixed set; everything else is a file's name.
std::string CompletionScript(const CLI::App& app, const std::string& shell);

}  // namespace quantd
