// The language '@NAME@': every line of the code is an expression, worked out by awk. Put your own in its place.

#include <pbotvm/language.h>
#include <pbotvm/language_facts.h>
#include <pbotvm/plugin.h>
#include <pbotvm/reply_text.h>

#include <sstream>

namespace {

using pbotvm::ImmediateReply;
using pbotvm::Request;

constexpr const char* file_name = "prog.awk";
constexpr std::string_view known = "0123456789.+-*/%^() \t\nabcdefghijklmnopqrstuvwxyz";

std::string awk_program(const std::string& code) {
  std::string program = "BEGIN { OFMT = \"%.14g\"\n";
  std::istringstream lines(code);
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t") != std::string::npos) program += "print (" + line + ")\n";
  }
  return program + "}\n";
}

class @CLASS@Language final : public pbotvm::Language, public pbotvm::LanguageFacts {
 public:
  // ---- what it is
  std::string name() const override { return "@NAME@"; }
  std::vector<std::string> aliases() const override { return {}; }
  std::vector<std::string> tools() const override { return {"awk"}; }
  std::string hello() const override { return "6 * 7"; }

  // ---- a request becomes a job; nothing is run here
  pbotvm::Plan plan(const Request& request) const override {
    pbotvm::CodeOptions options = pbotvm::parse_code_options(request, false);
    pbotvm::Step run;
    run.label = "run";
    run.argv = {"awk", "-f", file_name};
    run.reads_input = true;
    if (options.info) return ImmediateReply{request.language + " cmdline: " + pbotvm::quote_words(run.argv)};
    if (options.code.empty()) return ImmediateReply{pbotvm::usage_text()};
    if (options.code.find_first_not_of(known) != std::string::npos)
      return ImmediateReply{"Only numbers, + - * / % ^ ( ) and functions such as sqrt are known here."};

    run.argv.insert(run.argv.end(), options.arguments.begin(), options.arguments.end());
    pbotvm::Job job;
    job.files.push_back({file_name, awk_program(options.code)});
    job.steps.push_back(std::move(run));
    job.input = std::move(options.input);
    return job;
  }

  // ---- what happened becomes the reply
  std::string reply(const Request& request, const pbotvm::Result& result) const override {
    return pbotvm::program_reply(request, result);
  }

  // ---- what `pbotvm languages` and -paste tell of it; leave these out and nothing else changes
  void* extension(std::string_view asked) override {
    return asked == LanguageFacts::identifier ? static_cast<LanguageFacts*>(this) : nullptr;
  }
  std::string file() const override { return file_name; }
  std::vector<std::string> default_options() const override { return {}; }
  pbotvm::CommentMarks comment_marks() const override { return {"#", ""}; }
  std::vector<std::string> packages(std::string_view distribution) const override {
    if (distribution == "debian") return {"mawk"};
    return {"gawk"};
  }
  std::string stdin_program() const override { return {}; }
  std::string note() const override { return "a line of arithmetic each"; }
  std::string origin() const override { return {}; }
};

class @CLASS@Factory final : public pbotvm::LanguageFactory {
 public:
  std::vector<std::unique_ptr<pbotvm::Language>> create(const pbotvm::LanguageContext&) override {
    std::vector<std::unique_ptr<pbotvm::Language>> languages;
    languages.push_back(std::make_unique<@CLASS@Language>());
    return languages;
  }
};

}  // namespace

PBOTVM_PLUGIN("language", "@NAME@", "1.0", pbotvm::LanguageFactory, @CLASS@Factory)
