// SPDX-License-Identifier: MIT
#include "helpers_script.h"

namespace pbotvm::c {

// clang-format off
const std::string_view helpers_script = R"python(import os, re, resource, signal
import gdb

FILE = "@FILE@"
MOST_LINES = 200  # that trace and watch may print
MOST_TRACED = 100  # lines of code that one trace may name
MOST_VALUE = 1000  # characters of one value
UNKNOWN = "print, trace and the others know nothing: the program was built without debugging information"
with open(".pbotvm-code", encoding="utf-8", errors="replace") as file:
    code = file.read().split("\n")
left = MOST_LINES
stopped = None
answers = 1  # a descriptor
locals_before = []
points = []
lines, calls, watched = set(), {}, {}  # numbers of breakpoints; with the function; with expression and value


def say(text):
    os.write(answers, (text + "\n").encode(errors="replace"))


def say_some(text):
    global left
    left -= 1
    if left >= 0:
        say(text)
    if left == 0:
        say("[%d lines of trace and watch, no more are shown]" % MOST_LINES)
        for point in points:
            point.enabled = False


def ask(command, expression):
    text = " ".join(gdb.execute(command + " " + expression, to_string=True).split())
    text = re.sub(r" <error: Cannot access memory at address \w+>", " <not readable>", text)
    return text if len(text) <= MOST_VALUE else text[:MOST_VALUE] + "..."


# gdb's reasons, in words for who knows the code and not the debugger.
REASONS = [(r'No symbol "(.*?)" in .*', r"there is no '\1' here"),
           (r"No (?:struct|union|enum) type named (.*?)\.?", r"there is no type '\1' here"),
           (r"There is no member(?: or method)? named (.*?)\.?", r"it has no member '\1'"),
           (r'Function "(.*?)" not defined\.?.*', r"there is no function '\1'"),
           (r"A syntax error in expression, near `'\.", "the expression is not complete"),
           (r"A syntax error in expression, near `(.*)'\.", r"gdb does not understand it from '\1' on"),
           (r"Cannot access memory at address (\w+)", r"the memory at \1 cannot be read"),
           (r"value has been optimized out", "the compiler has optimised it away"),
           (r"Attempt to take contents of a non-pointer value\.", "it is no pointer"),
           (r"Attempt to take address of value not located in memory\.", "it is a value, and no variable"),
           (r"Cannot watch constant value `.*'\.", "it is a value, and no variable"),
           (r"Could not insert hardware (?:watch|break)point.*", "more variables cannot be watched at a time"),
           (r"value requires (\d+) bytes, which is more than max-value-size", r"its \1 bytes are too many to be shown"),
           (r"Structure has no component named operator(.*)\.", r"it has no operator '\1'"),
           (r"Argument required.*", "it names nothing")]


def reason(error):
    text = " ".join(str(error).split())
    for pattern, words in REASONS:
        if re.fullmatch(pattern, text):
            return re.sub(pattern + "$", words, text)[:MOST_VALUE]
    return text[:MOST_VALUE]


def shown(expression):
    return ask("output", expression)


def arguments(frame):
    return ", ".join("%s=%s" % (symbol.name, shown(symbol.name)) for symbol in frame.block() if symbol.is_argument)


def variables():
    text = gdb.execute("info locals", to_string=True)
    return [line for line in text.split("\n") if " = " in line and not line.startswith("pbotvm_")]


def add(*kind):
    point = gdb.Breakpoint(*kind, internal=True)
    point.silent = True
    point.enabled = left > 0
    points.append(point)
    return point.number


def start_trace(what):
    numbers = [int(number) for number in re.findall(r"\d{1,18}", what)] if re.fullmatch(r"[\d\s,:.-]+", what) else []
    if not numbers:
        gdb.decode_line(what.strip())  # fails where a breakpoint would only wait for the function
        calls[add(what.strip())] = what.strip()
        return
    first, last = numbers[0], numbers[-1]
    if last > len(code):
        say("trace(%s): the code ends at line %d" % (what, len(code)))
    # Lines that are only looked at, such as a comment, have no place to stop at.
    found = sorted(line for line in traceable() if first <= line <= min(last, len(code)))
    if not found and first <= min(last, len(code)):
        say("trace(%s): nothing is done in these lines" % what)
    if len(found) > MOST_TRACED:
        say("trace(%s): only the first %d of these lines are traced" % (what, MOST_TRACED))
    for line in found[:MOST_TRACED]:
        lines.add(add("%s:%d" % (FILE, line)))


def traceable():
    table = gdb.selected_frame().find_sal().symtab.linetable()
    return table.source_lines() if table else []


def start_watch(what):
    number = add(what, gdb.BP_WATCHPOINT)
    if points[-1].type != gdb.BP_HARDWARE_WATCHPOINT:  # it would be evaluated after every instruction
        points.pop().delete()
        place = gdb.parse_and_eval("&(%s)" % what)
        number = add("*(%s) %d" % (place.type, int(place)), gdb.BP_WATCHPOINT)
    watched[number] = [what, shown(what)]


def give_up(why):
    say("[%s]" % why)
    for point in points + [helper]:
        point.enabled = False


def answer():
    frame = gdb.newest_frame()
    try:
        what = frame.read_var("pbotvm_what_").string()
        of = frame.read_var("pbotvm_of_").string()
    except (gdb.error, ValueError, RuntimeError):
        return give_up(UNKNOWN)
    frame.older().select()
    try:
        if what in ("print", "dump"):
            say("%s = %s" % (of, shown(of)))
        elif what in ("whatis", "ptype"):
            say("%s = %s" % (of, ask(what, of).replace("type = ", "", 1)))
        elif what == "trace":
            start_trace(of)
        elif what == "watch":
            start_watch(of)
    except gdb.error as error:
        say("%s(%s): %s" % (what, of, reason(error)))


class Returned(gdb.FinishBreakpoint):
    def __init__(self, frame, name):
        super().__init__(frame, internal=True)
        self.silent = True
        self.name = name

    def stop(self):
        try:
            if self.return_value is not None and left > 0:
                say_some("%s returned %s" % (self.name, self.return_value))
        except Exception:  # it cannot be read; nobody is to be told where in this script
            pass
        return False


def at_line():
    global locals_before
    frame = gdb.newest_frame()
    frame.select()
    now = variables()
    changed = [one for one in now if one not in locals_before]
    locals_before = now
    line = frame.find_sal().line
    statement = code[line - 1].strip() if line <= len(code) else ""
    say_some("line %d: %s%s" % (line, statement, " <%s>" % "; ".join(changed) if changed else ""))


def at_call(name):
    frame = gdb.newest_frame()
    frame.select()
    say_some("called %s (%s)" % (name, arguments(frame)))
    try:
        Returned(frame, name)
    except (gdb.error, ValueError):
        pass  # nobody called it


def at_change(number):
    what, before = watched[number]
    now = shown(what)
    if now != before:
        watched[number][1] = now
        say_some("%s: %s -> %s" % (what, before, now))


def handle(event):
    for point in getattr(event, "breakpoints", []):
        try:
            if point.number == helper.number:
                answer()
            elif point.number in calls:
                at_call(calls[point.number])
            elif point.number in lines:
                at_line()
            elif point.number in watched:
                at_change(point.number)
        except (gdb.error, RuntimeError):
            pass  # what was asked about is gone
        except Exception as error:  # the program is to go on
            give_up("the debugger gives no more answers: " + reason(error))


def on_stop(event):
    global stopped
    stopped = event


def become_program():
    with open("/proc/self/cmdline", "rb") as words:
        command = words.read().split(b"\0")[:-1]
    command = command[command.index(b"--args") + 1:]
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.closerange(3, 256)
    os.execv(command[0], command)


# This step ends as the program did, at once: gdb has no last words. The program's core is there; this one's must not take
# its place.
def on_exit(event):
    if hasattr(event, "exit_code"):
        os._exit(event.exit_code & 255)
    number = int(gdb.parse_and_eval("$_exitsignal"))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


for setting in ("pagination off", "confirm off", "width 0", "height 0", "startup-with-shell off", "print elements 64",
                "print repeats 8", "print thread-events off", "print inferior-events off", "breakpoint pending off"):
    gdb.execute("set " + setting)
gdb.execute("handle all nostop noprint pass", to_string=True)
gdb.execute("unset environment LINES")
gdb.execute("unset environment COLUMNS")
gdb.events.stop.connect(on_stop)
gdb.events.exited.connect(on_exit)
try:
    for needed in ("pbotvm_helper_", "main"):
        gdb.decode_line(needed)
except gdb.error:  # a breakpoint would only wait for it
    say("[%s]" % UNKNOWN)
    become_program()
helper = gdb.Breakpoint("pbotvm_helper_", internal=True)
helper.silent = True
begin = gdb.Breakpoint("main", internal=True)
begin.silent = True
gdb.execute("run", to_string=True)
# The program has its output by now: what gdb itself says is nobody's concern.
begin.enabled = False
answers = os.dup(1)
os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
while True:
    handle(stopped)
    stopped = None
    gdb.execute("continue", to_string=True)
)python";
// clang-format on

}  // namespace pbotvm::c
