// SPDX-License-Identifier: MIT
#include "crash.h"

#include <algorithm>
#include <charconv>
#include <csignal>

#include "gdb_frames.h"
#include "pbotvm/reply_text.h"
#include "statement.h"

namespace pbotvm::c {

namespace {

constexpr std::size_t frames_asked = 24;     // of the debugger
constexpr std::size_t callers_shown = 4;     // beside the frame that failed
constexpr long one_frame = 1 << 20;          // bytes, that one function's variables may have on the stack
constexpr std::size_t most_statement = 120;  // bytes
constexpr std::size_t most_function = 200;   // bytes of a name; a template's has no end
constexpr std::size_t most_values = 600;     // bytes of arguments, and of local variables

// What begins the parts of the step's output.
constexpr std::string_view frames_mark = "@pbotvm-frames";
constexpr std::string_view fault_mark = "@pbotvm-fault";
constexpr std::string_view places_mark = "@pbotvm-places";

// The words of strsignal(3), which the host's C library may have in another language.
struct SignalName {
  int number;
  std::string_view name, meaning;
};
constexpr SignalName signal_names[] = {{SIGSEGV, "SIGSEGV", "Segmentation fault"},
                                       {SIGFPE, "SIGFPE", "Arithmetic exception"},
                                       {SIGABRT, "SIGABRT", "Aborted"},
                                       {SIGBUS, "SIGBUS", "Bus error"},
                                       {SIGILL, "SIGILL", "Illegal instruction"},
                                       {SIGTRAP, "SIGTRAP", "Trace/breakpoint trap"},
                                       {SIGSYS, "SIGSYS", "Bad system call"},
                                       {SIGQUIT, "SIGQUIT", "Quit"},
                                       {SIGHUP, "SIGHUP", "Hangup"},
                                       {SIGINT, "SIGINT", "Interrupt"},
                                       {SIGKILL, "SIGKILL", "Killed"},
                                       {SIGPIPE, "SIGPIPE", "Broken pipe"},
                                       {SIGALRM, "SIGALRM", "Alarm clock"},
                                       {SIGTERM, "SIGTERM", "Terminated"},
                                       {SIGUSR1, "SIGUSR1", "User defined signal 1"},
                                       {SIGUSR2, "SIGUSR2", "User defined signal 2"}};

std::string signal_text(int signal) {
  for (const SignalName& known : signal_names) {
    if (known.number == signal) return std::string(known.name) + ", " + std::string(known.meaning);
  }
  return std::to_string(signal);
}

const StepResult* find_step(const Result& result, std::uint32_t step) {
  const auto found =
      std::find_if(result.steps.begin(), result.steps.end(), [&](const StepResult& one) { return one.step == step; });
  return found == result.steps.end() ? nullptr : &*found;
}

std::string_view part_behind(std::string_view text, std::string_view mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + mark.size());
  return text.substr(0, text.find("@pbotvm-"));
}

std::string cut(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;  // not within a character
  return text.substr(0, most) + "...";
}

std::string statement_text(const Frame& frame, const CrashSource& source) {
  const std::string statement = cut(statement_at(source.code, frame.line, frame.column), most_statement);
  return statement.empty() ? "" : " at statement: " + statement;
}

std::string frame_text(const Frame& frame, const CrashSource& source) {
  return cut(frame.function, most_function) + " (" + cut(frame.arguments, most_values) + ')' +
         statement_text(frame, source);
}

// `distance`: of the address that could not be reached to the end of the stack.
bool is_beside_stack(std::string_view distance) {
  distance.remove_prefix(std::min(distance.size(), distance.find_first_not_of('\n')));
  long bytes = 0;
  const auto [end, error] = std::from_chars(distance.data(), distance.data() + distance.size(), bytes);
  return error == std::errc() && bytes > -one_frame && bytes < one_frame;
}

std::string callers_text(const std::vector<Frame>& frames, const CrashSource& source) {
  std::string text;
  for (std::size_t at = 1, shown = 0; at < frames.size() && shown < callers_shown; ++shown) {
    std::size_t same = at + 1;
    while (same < frames.size() && frames[same].function == frames[at].function) ++same;
    text += " called by " + frame_text(frames[at], source);
    if (same - at > 1) text += " (and so on)";
    at = same;
  }
  return text;
}

std::string locals_text(const Frame& frame) {
  std::string text;
  for (const auto& [name, value] : frame.locals) {
    if (name.starts_with("pbotvm_") || name.starts_with("__")) continue;  // not of the author
    text += (text.empty() ? "" : "; ") + name + " = " + value;
  }
  return text.empty() ? "" : " <local variables: " + cut(std::move(text), most_values) + '>';
}

}  // namespace

Step crash_step() {
  Step step;
  step.label = crash_label;
  step.argv = {"gdb", "-nx", "-q", "-batch"};
  // No look-up over a network, no waiting for an answer, no lines broken.
  for (const char* setting : {"debuginfod enabled off", "confirm off", "width 0", "height 0", "print thread-events off",
                              "print elements 64", "print repeats 8", "print frame-arguments all"})
    step.argv.insert(step.argv.end(), {"-iex", std::string("set ") + setting});
  step.argv.insert(step.argv.end(), {"./prog", "core"});
  for (const std::string& command :
       {"echo " + std::string(frames_mark) + "\\n", "backtrace -full " + std::to_string(frames_asked),
        "echo " + std::string(fault_mark) + "\\n",
        // How far the address that could not be reached is from the end of the stack.
        std::string("output (long)$_siginfo._sifields._sigfault.si_addr - (long)$sp"),
        "echo " + std::string(places_mark) + "\\n",
        // gdb knows no columns; where a line holds several statements only they tell which one it was.
        "shell eu-stack -s -n " + std::to_string(frames_asked) + " --executable=prog --core=core 2>&1; rm -f core"})
    step.argv.insert(step.argv.end(), {"-ex", command});
  step.environment = {{"LC_MESSAGES", "C"}, {"DEBUGINFOD_URLS", ""}, {"PYTHONNOUSERSITE", "1"}};
  step.when = When::after_crash;
  return step;
}

std::vector<std::pair<std::string, std::string>> run_environment() {
  const std::string signals = "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0";
  return {{"UBSAN_OPTIONS", signals}, {"ASAN_OPTIONS", signals + ":disable_coredump=0:color=never"}};
}

std::string crash_text(const Result& result, std::uint32_t run, std::uint32_t explain, const CrashSource& source) {
  const StepResult* step = find_step(result, run);
  if (!step || step->signal == 0 || (step->limit != Limit::none && step->limit != Limit::processes)) return {};
  std::string text = "Program received signal " + signal_text(step->signal);
  const std::string said = stream_of(result, explain, Stream::out);
  const std::vector<Frame> frames =
      read_backtrace(part_behind(said, frames_mark), part_behind(said, places_mark), source.file);
  if (frames.empty()) return text;
  const Frame& failed = frames.front();
  if (step->signal == SIGSEGV && is_beside_stack(part_behind(said, fault_mark))) text += " (stack overflow)";
  return text + " in " + frame_text(failed, source) + callers_text(frames, source) + locals_text(failed);
}

}  // namespace pbotvm::c
