#include "client/completion.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace quantd {
namespace {

struct Word {
  std::string text;
  std::string help;
};

// A command and what may follow it. Flags of the program are accepted after every command.
struct Command {
  std::string path;  // "jobs list", empty for the program itself
  std::vector<Word> words;
  bool has_subcommands = false;
};

std::vector<std::string> NamesOf(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

// The values between the braces of "TEXT:{table,json}".
std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return absl::StrSplit(type.substr(open + 1, close - open - 1), ',');
}

bool TakesValue(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::vector<const CLI::App*> SubcommandsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

void AddOptionWords(const CLI::App& app, std::vector<Word>& words) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : NamesOf(*option)) words.push_back({name, option->get_description()});
    if (!option->nonpositional())
      for (const std::string& choice : ChoicesOf(*option)) words.push_back({choice, ""});
  }
}

void Collect(const CLI::App& root, const CLI::App& app, const std::string& path, std::vector<Command>& out) {
  Command command{path, {}, false};
  for (const CLI::App* sub : SubcommandsOf(app)) {
    command.words.push_back({sub->get_name(), sub->get_description()});
    command.has_subcommands = true;
  }
  AddOptionWords(app, command.words);
  if (&app != &root) {
    for (const CLI::Option* option : root.get_options()) {
      if (option == root.get_help_ptr()) continue;
      for (const std::string& name : NamesOf(*option))
        command.words.push_back({name, option->get_description()});
    }
  }
  out.push_back(std::move(command));
  for (const CLI::App* sub : SubcommandsOf(app))
    Collect(root, *sub, path.empty() ? sub->get_name() : absl::StrCat(path, " ", sub->get_name()), out);
}

void CollectOptions(const CLI::App& app, std::vector<const CLI::Option*>& out) {
  for (const CLI::Option* option : app.get_options()) out.push_back(option);
  for (const CLI::App* sub : SubcommandsOf(app)) CollectOptions(*sub, out);
}

std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// Shell patterns, "|" between them, of every flag that takes a value: the word after it is no command.
std::string ValueFlags(const CLI::App& app) {
  std::vector<const CLI::Option*> options;
  CollectOptions(app, options);
  std::vector<std::string> flags;
  for (const CLI::Option* option : options) {
    if (!TakesValue(*option)) continue;
    for (const std::string& name : NamesOf(*option)) flags.push_back(name);
  }
  return absl::StrJoin(flags, "|");
}

// The part that bash and zsh share: walks `words` up to the cursor and leaves the command's path.
std::string PathWalk(const CLI::App& app, const std::vector<Command>& commands) {
  std::vector<std::string> paths;
  for (const Command& command : commands) {
    if (!command.path.empty()) paths.push_back(Quoted(command.path));
  }
  return absl::StrCat("  while (( i < current )); do\n    case \"${words[i]}\" in\n      ", ValueFlags(app),
                      ") (( ++i )) ;;\n      *) case \"${command:+$command }${words[i]}\" in\n        ",
                      absl::StrJoin(paths, "|"),
                      ") command=\"${command:+$command }${words[i]}\" ;;\n      esac ;;\n    esac\n"
                      "    (( ++i ))\n  done\n");
}

// case arms "flag) choices ;;" for flags with a fixed set of values.
std::string ChoiceArms(const CLI::App& app, const std::string& before, const std::string& after) {
  std::vector<const CLI::Option*> options;
  CollectOptions(app, options);
  std::string arms;
  for (const CLI::Option* option : options) {
    const std::vector<std::string> choices = ChoicesOf(*option);
    if (choices.empty() || !option->nonpositional()) continue;
    absl::StrAppend(&arms, "    ", absl::StrJoin(NamesOf(*option), "|"), ") ", before,
                    absl::StrJoin(choices, " "), after, "\n");
  }
  return arms;
}

std::string Bash(const CLI::App& app, const std::vector<Command>& commands) {
  std::string script =
      absl::StrCat("_quantctl() {\n  local words=(\"${COMP_WORDS[@]}\") current=$COMP_CWORD i=1 command=\n",
                   "  local word=\"${COMP_WORDS[COMP_CWORD]}\" choices=\n", PathWalk(app, commands),
                   "  case \"${words[current - 1]}\" in\n",
                   ChoiceArms(app, "COMPREPLY=($(compgen -W '", "' -- \"$word\")); return ;;"), "    ",
                   ValueFlags(app), ") return ;;\n  esac\n  case \"$command\" in\n");
  for (const Command& command : commands) {
    absl::StrAppend(
        &script, "    ", Quoted(command.path), ") choices='",
        absl::StrJoin(command.words, " ", [](std::string* out, const Word& word) { out->append(word.text); }),
        "' ;;\n");
  }
  absl::StrAppend(&script, "  esac\n  COMPREPLY=($(compgen -W \"$choices\" -- \"$word\"))\n}\n",
                  "complete -o default -F _quantctl quantctl\n");
  return script;
}

std::string Zsh(const CLI::App& app, const std::vector<Command>& commands) {
  std::string script = absl::StrCat(
      "#compdef quantctl\n_quantctl() {\n  local current=$CURRENT i=2 command=\n  local -a choices\n",
      PathWalk(app, commands), "  case \"${words[current - 1]}\" in\n",
      ChoiceArms(app, "compadd -- ", "; return ;;"), "    ", ValueFlags(app),
      ") _files; return ;;\n  esac\n  case \"$command\" in\n");
  for (const Command& command : commands) {
    absl::StrAppend(&script, "    ", Quoted(command.path), ") choices=(");
    for (const Word& word : command.words) {
      absl::StrAppend(&script, " ", Quoted(absl::StrCat(word.text, word.help.empty() ? "" : ":", word.help)));
    }
    absl::StrAppend(&script, " )", command.has_subcommands ? "" : "; [[ $PREFIX == -* ]] || _files", " ;;\n");
  }
  absl::StrAppend(&script, "  esac\n  _describe quantctl choices\n}\ncompdef _quantctl quantctl\n");
  return script;
}

// Holds when the words so far name exactly this command.
std::string FishCondition(const Command& command, const std::vector<Command>& commands) {
  std::vector<std::string> conditions;
  if (!command.path.empty()) {
    for (absl::string_view part : absl::StrSplit(command.path, ' '))
      conditions.push_back(absl::StrCat("__fish_seen_subcommand_from ", part));
  }
  std::vector<std::string> below;
  const std::string prefix = command.path.empty() ? "" : command.path + " ";
  for (const Command& other : commands) {
    if (other.path.size() <= prefix.size() || other.path.compare(0, prefix.size(), prefix) != 0) continue;
    const std::string rest = other.path.substr(prefix.size());
    if (rest.find(' ') == std::string::npos) below.push_back(rest);
  }
  if (!below.empty())
    conditions.push_back(absl::StrCat("not __fish_seen_subcommand_from ", absl::StrJoin(below, " ")));
  return absl::StrJoin(conditions, "; and ");
}

std::string Fish(const std::vector<Command>& commands) {
  std::string script;
  for (const Command& command : commands) {
    const std::string condition = FishCondition(command, commands);
    for (const Word& word : command.words) {
      absl::StrAppend(&script, "complete -c quantctl");
      if (!condition.empty()) absl::StrAppend(&script, " -n ", Quoted(condition));
      if (word.text.rfind("--", 0) == 0) {
        absl::StrAppend(&script, " -l ", word.text.substr(2));
      } else if (word.text[0] == '-') {
        absl::StrAppend(&script, " -s ", word.text.substr(1));
      } else {
        absl::StrAppend(&script, command.has_subcommands ? " -f" : "", " -a ", word.text);
      }
      absl::StrAppend(&script, " -d ", Quoted(word.help), "\n");
    }
  }
  return script;
}

}  // namespace

std::string CompletionScript(const CLI::App& app, const std::string& shell) {
  std::vector<Command> commands;
  Collect(app, app, "", commands);
  if (shell == "bash") return Bash(app, commands);
  if (shell == "zsh") return Zsh(app, commands);
  return Fish(commands);
}

}  // namespace quantd
