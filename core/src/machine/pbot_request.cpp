// SPDX-License-Identifier: MIT
#include "machine/pbot_request.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace pbotvm::machine {

namespace {

using Json = nlohmann::json;

constexpr std::size_t line_size = 4000;  // a terminal in line mode takes at most 4095 bytes a line
constexpr std::string_view answer_mark = "result:";
constexpr std::size_t probe_padding = 128;
constexpr std::string_view script_name = "prog.sh";
constexpr std::string_view plain_language =
    "sh";  // one that the guest has no module for: it just runs the command line

// Those that the guest compiles and then runs as ./prog, and what it calls them.
constexpr std::pair<std::string_view, std::string_view> compiled_languages[] = {
    {"c89", "c89"},         {"c99", "c99"},         {"c11", "c11"},         {"c2x", "c2x"},
    {"clang", "clang"},     {"clang89", "clang89"}, {"clang99", "clang99"}, {"clang11", "clang11"},
    {"clang2x", "clang2x"}, {"c++", "cpp"},         {"cpp", "cpp"},         {"clang++", "clangpp"},
    {"clangpp", "clangpp"}, {"tendra", "tendra"},   {"haskell", "haskell"}, {"freebasic", "freebasic"},
    {"qbasic", "qbasic"},
};
// Those that the guest treats in yet another way, which is not ours.
constexpr std::string_view peculiar_languages[] = {"java"};

std::optional<std::string_view> compiled_name(std::string_view language) {
  for (const auto& [ours, theirs] : compiled_languages) {
    if (ours == language) return theirs;
  }
  return std::nullopt;
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
}

bool is_plain(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return is_plain(c); });
}

// Whether JSON can carry it, and bash too.
bool is_text(std::string_view bytes) {
  if (bytes.find('\0') != bytes.npos) return false;
  try {
    (void)Json(bytes).dump();
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

// ---- words

std::string bash_word(std::string_view word) {
  if (is_plain(word)) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

// `env` keeps bash from taking a program's name for one of its own words.
std::string bash_command(const Step& step, bool always_env) {
  std::string line;
  if (always_env || !step.environment.empty()) {
    line = "env -- ";
    for (const auto& [name, value] : step.environment) line += bash_word(name + "=" + value) + ' ';
  }
  for (const auto& word : step.argv) line += bash_word(word) + ' ';
  line.pop_back();
  return line;
}

// A word as the guest's own splitter reads it, of which there have been several: what all of them read alike.
std::optional<std::string> guest_word(std::string_view word) {
  if (is_plain(word)) return std::string(word);
  if (word.empty() || word.find('\\') != word.npos || !is_text(word)) return std::nullopt;
  for (const char quote : {'\'', '"'}) {
    if (word.find(quote) == word.npos) return quote + std::string(word) + quote;
  }
  return std::nullopt;
}

std::optional<std::string> guest_words(const std::vector<std::string>& words) {
  std::string line;
  for (const auto& word : words) {
    const auto quoted = guest_word(word);
    if (!quoted) return std::nullopt;
    line += (line.empty() ? "" : " ") + *quoted;
  }
  return line;
}

// ---- the parts of a request

struct Parts {
  std::string language, source_file, exec_file, command_line, arguments, input, code;
};

// The guest puts a newline behind the code and behind the input.
std::string without_last_newline(std::string_view text) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return std::string(text);
}

// The file of a job that has one which the guest can write, by its name and content, just so.
const JobFile* only_source(const Job& job) {
  if (job.files.size() != 1 || !job.directories.empty()) return nullptr;
  const JobFile& file = job.files.front();
  const bool simple = is_plain(file.path) && file.path.find('/') == file.path.npos && (file.mode & 0111) == 0;
  return simple && is_text(file.content) ? &file : nullptr;
}

// What the guest can hand to a program: an input of nothing is no input to it, and one of a newline is nothing.
bool input_is_simple(const Job& job, const Step& step) {
  return !step.reads_input || (is_text(job.input) && job.input != "\n");
}

std::optional<Parts> interpreted(const Job& job) {
  const JobFile* source = only_source(job);
  if (source == nullptr || job.steps.size() != 1) return std::nullopt;
  const Step& step = job.steps.front();
  if (step.when == When::after_crash || !input_is_simple(job, step)) return std::nullopt;
  if (!std::all_of(step.argv.begin(), step.argv.end(), is_text)) return std::nullopt;
  const bool special = compiled_name(job.language) ||
                       std::find(std::begin(peculiar_languages), std::end(peculiar_languages), job.language) !=
                           std::end(peculiar_languages);
  Parts parts;
  parts.language = special || job.language.empty() ? std::string(plain_language) : job.language;
  parts.source_file = parts.exec_file = source->path;
  parts.command_line = bash_command(step, false);
  if (step.reads_input) parts.input = without_last_newline(job.input);
  parts.code = without_last_newline(source->content);
  return parts;
}

// A crash is explained by the guest itself, so that the steps after one are left out.
std::optional<Parts> compiled(const Job& job) {
  const JobFile* source = only_source(job);
  const auto language = compiled_name(job.language);
  if (source == nullptr || !language || job.steps.size() < 2) return std::nullopt;
  const Step &build = job.steps[0], &run = job.steps[1];
  if (build.reads_input || build.when == When::after_crash) return std::nullopt;
  if (run.argv.front() != "./prog" || run.when != When::after_success) return std::nullopt;
  if (!run.environment.empty() || !input_is_simple(job, run)) return std::nullopt;
  for (std::size_t i = 2; i < job.steps.size(); ++i) {
    if (job.steps[i].when != When::after_crash) return std::nullopt;
  }
  std::vector<std::string> command = build.argv;
  if (!build.environment.empty()) {
    std::vector<std::string> prefix = {"env"};
    for (const auto& [name, value] : build.environment) prefix.push_back(name + "=" + value);
    command.insert(command.begin(), prefix.begin(), prefix.end());
  }
  const auto command_line = guest_words(command);
  const auto arguments = guest_words({run.argv.begin() + 1, run.argv.end()});
  if (!command_line || !arguments) return std::nullopt;
  Parts parts;
  parts.language = *language;
  parts.source_file = source->path;
  parts.exec_file = "prog";
  parts.command_line = *command_line;
  parts.arguments = *arguments;
  if (run.reads_input) parts.input = without_last_newline(job.input);
  parts.code = without_last_newline(source->content);
  return parts;
}

// ---- everything else, as a script

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr std::size_t bytes_a_line = 57;  // 76 digits
  std::string text;
  text.reserve(bytes.size() / 3 * 4 + bytes.size() / bytes_a_line + 8);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) text += i <= count ? digits[group >> (18 - 6 * i) & 63] : '=';
    if ((at + 3) % bytes_a_line == 0) text += '\n';
  }
  if (!text.empty() && text.back() != '\n') text += '\n';
  return text;
}

std::string octal(unsigned mode) {
  std::string text;
  for (int shift = 6; shift >= 0; shift -= 3) text += static_cast<char>('0' + (mode >> shift & 7));
  return text;
}

void write_file(std::string& script, const JobFile& file) {
  if (const auto slash = file.path.rfind('/'); slash != file.path.npos) {
    script += "mkdir -p -- " + bash_word(file.path.substr(0, slash)) + "\n";
  }
  const std::string path = bash_word("./" + file.path);
  script += "base64 -d > " + path + " <<'.'\n" + base64(file.content) + ".\n";
  script += "chmod " + octal(file.mode) + " " + path + "\n";
}

std::string condition(When when) {
  switch (when) {
    case When::always:
      return "true";
    case When::after_success:
      return "[ $last = 0 ]";
    case When::after_crash:
      return "[ $last -gt 128 ]";  // as bash says of a program that a signal ended
  }
  return "false";
}

// What a compiler says is shown as the guest shows it: in brackets before a success, alone after a failure.
void run_compiler(std::string& script, const Step& step) {
  script += "said=$(" + bash_command(step, true) + " 2>&1 </dev/null 4>&-); last=$?; end=$last\n";
  script += "if [ -n \"$said\" ] && [ $last = 0 ]; then printf '[%s]\\n' \"$said\"\n";
  script += "elif [ -n \"$said\" ]; then printf '%s\\n' \"$said\"; end=0; fi\n";
}

void run_program(std::string& script, const Step& step) {
  const std::string input = step.reads_input ? "/dev/fd/3" : "/dev/null";
  script += bash_command(step, true) + " <" + input + " 2>&4 3<&- 4>&-; last=$?; end=$last\n";
}

// Descriptor 3 is the input, from its beginning for each step. Descriptor 4 is standard error, and bash's own goes
// nowhere: it would tell of every program that a signal ended.
Parts script(const Job& job) {
  std::string text = "rm -f -- \"$0\"\n";
  for (const auto& directory : job.directories) text += "mkdir -p -- " + bash_word("./" + directory) + "\n";
  for (const auto& file : job.files) write_file(text, file);
  text += "typed=$(mktemp) && base64 -d > \"$typed\" <<'.'\n" + base64(job.input) + ".\n";
  text += "exec 3<\"$typed\" 4>&2 2>/dev/null; rm -f -- \"$typed\"; unset typed; last=0; end=0\n";
  for (std::size_t i = 0; i < job.steps.size(); ++i) {
    const Step& step = job.steps[i];
    text += "if " + condition(step.when) + "; then\n";
    if (step.label == "compile" && i + 1 < job.steps.size()) {
      run_compiler(text, step);
    } else {
      run_program(text, step);
    }
    text += "fi\n";
  }
  Parts parts;
  parts.language = plain_language;
  parts.source_file = parts.exec_file = script_name;
  parts.command_line = "bash " + std::string(script_name);
  parts.code = text + "exit $end";
  return parts;
}

Json to_json(const Parts& parts, std::int64_t date) {
  return {{"lang", parts.language},       {"sourcefile", parts.source_file},
          {"execfile", parts.exec_file},  {"cmdline", parts.command_line},
          {"arguments", parts.arguments}, {"input", parts.input},
          {"code", parts.code},           {"date", date}};
}

std::string text_of(const Json& request) {
  return request.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace

std::string pbot_request(const Job& job, std::int64_t date) {
  auto parts = compiled(job);
  if (!parts) parts = interpreted(job);
  if (!parts) parts = script(job);
  Json request = to_json(*parts, date);
  if (!job.persist_key.empty()) request["persist-key"] = job.persist_key;
  if (job.factoid) request["factoid"] = 1;
  return text_of(request);
}

std::string pbot_probe(std::string_view word, std::int64_t date) {
  Parts parts;
  parts.language = plain_language;
  parts.source_file = parts.exec_file = script_name;
  parts.command_line = "sh " + std::string(script_name);
  parts.code = "echo " + std::string(word);
  // A guest that is just opening its line loses the first bytes. Blanks may be lost; half a request would be refused,
  // and the original then sets its clock to 1970.
  return std::string(probe_padding, ' ') + text_of(to_json(parts, date));
}

std::string pbot_lines(std::string_view json) {
  std::string lines;
  lines.reserve(json.size() + json.size() / line_size + 2);
  while (!json.empty()) {
    std::size_t size = std::min(line_size, json.size());
    // One byte more in front, and the next line begins otherwise.
    if (size < json.size() && json.substr(size).starts_with(answer_mark)) --size;
    lines.append(json.substr(0, size)) += '\n';
    json.remove_prefix(size);
  }
  return lines += '\n';
}

}  // namespace pbotvm::machine
