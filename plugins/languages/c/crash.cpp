// SPDX-License-Identifier: MIT
#include "crash.h"

#include <Poco/DigestEngine.h>
#include <Poco/HMACEngine.h>
#include <Poco/SHA1Engine.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <random>

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
constexpr std::size_t most_value = 150;      // bytes of one local variable's
constexpr std::size_t most_values = 600;     // bytes of arguments, and of local variables
constexpr std::size_t most_frames = 65536;   // bytes of the debugger's words about all frames
constexpr std::size_t mark_digits = 32;

// The parts of the step's output: of each a line "@MARK NAME", then what it holds. What takes little time comes first:
// the details may be cut where the step's time is over.
constexpr std::string_view frames_part = "frames", fault_part = "fault", places_part = "places",
                           details_part = "details";

// Seconds that the debugger has, and those it then has to end. The program's end, which the request has waited for, is
// not to be lost by looking at it for too long.
constexpr std::string_view most_time = "8", most_ending = "1";

// Local variables of the author's innermost function, then the arguments of his functions whatever they are: the
// debugger's plain list leaves out those that hold others. Each is told as soon as it is known. An array is shown by
// its beginning: the debugger compares all elements of what it shows, at a tenth of a millisecond each.
constexpr std::string_view details_script = R"python(
def is_own(frame):
    table = frame.find_sal().symtab
    name = frame.name()
    return name and table and table.filename.split("/")[-1] in ("prog.c", "prog.cpp") and not name.startswith("pbotvm_")

def own_frames():
    frame, before, left = gdb.newest_frame(), None, 5
    for _ in range(24):
        if not frame or not left:
            return
        if is_own(frame) and frame.name() != before:
            before, left = frame.name(), left - 1
            yield frame
        frame = frame.older()

def tell(text):
    gdb.write(text + "\n")
    gdb.flush()

def tell_frame(frame):
    frame.select()
    tell(gdb.execute("frame", to_string=True).split("\n")[0])

def variables(frame):
    block = frame.block()
    while block:
        yield from (symbol.name for symbol in block if symbol.is_variable and not symbol.is_argument)
        block = None if block.function else block.superblock

def shown(frame, name):
    kind = frame.read_var(name).type.strip_typedefs()
    first = name
    while kind.code == gdb.TYPE_CODE_ARRAY and kind.sizeof > 4096:
        first += "[%d]" % kind.range()[0]
        kind = kind.target().strip_typedefs()
    if first != name:
        count = max(1, min(32, 4096 // kind.sizeof))
        return name + " = " + gdb.execute("output %s@%d" % (first, count), to_string=True) + "..."
    return gdb.execute("info locals -q ^%s$" % name, to_string=True)

frames = list(own_frames())
for frame in frames[:1]:
    tell_frame(frame)
    for name in dict.fromkeys(variables(frame)):
        try:
            if not name.startswith(("pbotvm_", "__")):
                tell("\n".join("        " + line for line in shown(frame, name).split("\n") if line))
        except (gdb.error, ValueError, RuntimeError):
            pass
gdb.execute("set print frame-arguments all")
for frame in frames:
    tell_frame(frame)
)python";

// gdb's command "python" takes one line only.
std::string details_command() {
  std::string text = "python exec('";
  for (const char c : details_script) {
    if (c == '\n') {
      text += "\\n";
    } else {
      if (c == '\\' || c == '\'') text += '\\';
      text += c;
    }
  }
  return text + "')";
}

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

std::string line_of(std::string_view mark, std::string_view part) {
  return "@" + std::string(mark) + " " + std::string(part);
}

std::string_view part_of(std::string_view text, std::string_view mark, std::string_view part) {
  const std::string begin = line_of(mark, part) + "\n";
  const std::size_t at = text.find(begin);
  if (mark.empty() || at == std::string_view::npos) return {};
  text.remove_prefix(at + begin.size());
  return text.substr(0, text.find(line_of(mark, "")));
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

// What the details tell of frames that are known already; what they do not tell remains.
void add_details(std::vector<Frame>& frames, std::vector<Frame> details) {
  for (Frame& more : details) {
    const auto same =
        std::find_if(frames.begin(), frames.end(), [&](const Frame& f) { return f.number == more.number; });
    if (same == frames.end()) continue;
    same->arguments = std::move(more.arguments);
    if (!more.locals.empty()) same->locals = std::move(more.locals);
  }
}

// `distance`: of the address that could not be reached to the end of the stack.
bool is_beside_stack(std::string_view distance) {
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
    text += (text.empty() ? "" : "; ") + name + " = " + cut(value, most_value);
  }
  return text.empty() ? "" : " <local variables: " + cut(std::move(text), most_values) + '>';
}

}  // namespace

// One for all languages, also for those that are made anew at a reload: by their plans they are seen to be the same.
CrashMarks::CrashMarks() {
  static const std::string secret = [] {
    std::random_device random;
    std::string words;
    for (int word = 0; word < 8; ++word) words += std::to_string(random());
    return words;
  }();
  secret_ = secret;
}

std::string CrashMarks::mark_of(std::string_view code) const {
  Poco::HMACEngine<Poco::SHA1Engine> engine(secret_);
  engine.update(code.data(), code.size());
  return Poco::DigestEngine::digestToHex(engine.digest()).substr(0, mark_digits);
}

Step crash_step(std::string_view mark) {
  Step step;
  step.label = crash_label;
  step.argv = {"timeout", "-k", std::string(most_ending), std::string(most_time), "gdb", "-nx", "-q", "-batch"};
  // No look-up over a network, no waiting for an answer, no lines broken; and nothing whose showing takes long.
  for (const char* setting :
       {"debuginfod enabled off", "confirm off", "width 0", "height 0", "print thread-events off", "print elements 32",
        "print repeats 8", "print max-depth 3", "print frame-arguments scalars", "max-value-size 16384"})
    step.argv.insert(step.argv.end(), {"-iex", std::string("set ") + setting});
  step.argv.insert(step.argv.end(), {"./prog", "core"});
  const std::string frames = std::to_string(frames_asked);
  const auto begin = [mark](std::string_view part) { return "echo \\n" + line_of(mark, part) + "\\n"; };
  for (const std::string& command :
       {begin(frames_part), "pipe backtrace " + frames + " | head -c " + std::to_string(most_frames), begin(fault_part),
        // How far the address that could not be reached is from the end of the stack.
        std::string("output (long)$_siginfo._sifields._sigfault.si_addr - (long)$sp"), begin(places_part),
        // gdb knows no columns; where a line holds several statements only they tell which one it was.
        "shell eu-stack -s -n " + frames + " --executable=prog --core=core 2>&1",
        // A few frames, each at most so long as the debugger shows values, so that they need no bound of their own.
        begin(details_part), details_command(), std::string("shell rm -f core")})
    step.argv.insert(step.argv.end(), {"-ex", command});
  step.environment = {{"LC_MESSAGES", "C"}, {"DEBUGINFOD_URLS", ""}, {"PYTHONNOUSERSITE", "1"}};
  step.when = When::after_crash;
  return step;
}

std::vector<std::pair<std::string, std::string>> run_environment() {
  const std::string signals = "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0";
  return {{"UBSAN_OPTIONS", signals}, {"ASAN_OPTIONS", signals + ":disable_coredump=0:color=never"}};
}

std::string crash_text(const Result& result, std::uint32_t run, std::uint32_t explain, const CrashSource& source,
                       std::string_view mark) {
  const StepResult* step = find_step(result, run);
  if (!step || step->signal == 0 || (step->limit != Limit::none && step->limit != Limit::processes)) return {};
  std::string text = "Program received signal " + signal_text(step->signal);
  const std::string said = stream_of(result, explain, Stream::out);
  std::vector<Frame> frames =
      read_backtrace(part_of(said, mark, frames_part), part_of(said, mark, places_part), source.file);
  add_details(frames, read_backtrace(part_of(said, mark, details_part), {}, source.file));
  if (frames.empty()) return text;
  const Frame& failed = frames.front();
  if (step->signal == SIGSEGV && is_beside_stack(part_of(said, mark, fault_part))) text += " (stack overflow)";
  return text + " in " + frame_text(failed, source) + callers_text(frames, source) + locals_text(failed);
}

}  // namespace pbotvm::c
