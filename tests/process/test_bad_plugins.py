# SPDX-License-Identifier: MIT
"""Language plug-ins that do everything wrong: each request that meets a mistake is answered with the plug-in's name, and
nothing else is touched: neither another request, nor the machine, nor the host."""

import json
import re
import signal
import subprocess
import threading
import time
import unittest

from pbotvm_json import run
from pbotvm_testing import BUILD, HostAndGuest, clean_environment, main, program

FIXTURES = BUILD / "lib" / "fixtures"
PATIENCE = 5  # s, after which a call into a plug-in is given up
GIB = 1 << 20  # KiB
SANITIZED = "PBOTVM_SANITIZE:BOOL=ON" in (BUILD / "CMakeCache.txt").read_text()
GIGABYTE = 1 << (28 if SANITIZED else 30)  # bytes that the plug-in takes for one


def peak_memory(pid):
    """KiB of a process, at most, so far."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))


def available_memory():
    """KiB of this system."""
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        return int(re.search(r"MemAvailable:\s+(\d+)", meminfo.read()).group(1))


def with_plugins(folder):
    """A directory of plug-ins beside the usual one, and no YAML definitions."""
    return {"PBOTVM_PLUGINS": f"{BUILD / 'lib' / 'pbotvm'}:{FIXTURES / folder}", "PBOTVM_LANGUAGES": FIXTURES / folder}


class MisbehavingHost(HostAndGuest):
    settings = {**with_plugins("misbehaving"), "PBOTVM_TIMEOUT": 20, "PBOTVM_QUEUE_TIMEOUT": 60}

    def ask(self, what, language="misbehaves"):
        return self.host.ask(f"-lang={language} {what}", 120)

    def assert_named(self, reply, why, language="misbehaves"):
        self.assertRegex(reply, rf"^Language '{language}' failed in its plug-in language-{language}\.so: {why}")

    def assert_unharmed(self):
        self.assert_works()
        machine = self.host.machine()
        self.assertIn(machine["state"], ("ready", "leased"))  # its last slot may still be on its way back
        self.assertEqual(machine["reverts"], 0)


class Misbehaving(MisbehavingHost):
    def test_says_what_is_wrong_with_a_plan(self):
        for what, why in (
                ("no-steps", "its plan has no step$"),
                ("many-steps", "steps of its plan: 10000, at most 16 are accepted$"),
                ("empty-argv", "a step of its plan names no program$"),
                ("empty-program", "a step of its plan names no program$"),
                ("many-words", "words of a command: 100000, at most 4096 are accepted$"),
                ("long-word", "a word of a command has 200000 bytes, at most 131071 are accepted$"),
                ("nul-word", "a word of a command contains a NUL$"),
                ("bad-utf8-word", "its plan: .*UTF-8"),
                ("bad-environment", "its plan: env: "),
                ("many-files", "files of its plan: 10000, at most 256 are accepted$"),
                ("escaping-file", r"the file '\.\./\.\./etc/passwd' of its plan must not have .*'\.\.'"),
                ("absolute-file", "the file '/etc/passwd' of its plan must be relative"),
                ("same-file-twice", ".*'file' is named twice"),
                ("file-below-file", ".*'a' stands where 'a/b' needs a directory"),
                ("bad-utf8-file", ".*UTF-8"),
                ("wrong-mode", "its plan: mode: out of range$"),
                ("escaping-directory", "its plan: path: "),
                ("negative-limit", "its plan: wall_ms: out of range$"),
                ("endless-limit", "its plan: wall_ms: out of range$"),
                ("when-of-nowhere", "a step of its plan says of no known moment when it is to run$")):
            with self.subTest(what):
                self.assert_named(self.ask(what), why)
        self.assert_unharmed()

    def test_names_the_plugin_when_it_throws(self):
        for what in ("plan-throws", "reply-throws"):
            self.assert_named(self.ask(what), what.split("-", maxsplit=1)[0] + ": a mistake of its own$")
        for what in ("plan-throws-int", "reply-throws-int"):
            self.assert_named(self.ask(what), ".*it threw something that is not an exception class$")
        self.assertLess(len(self.ask("plan-throws-long")), 2000)
        self.assert_unharmed()

    def test_tells_it_to_who_wants_json(self):
        last = run(self.host, "-lang=misbehaves many-steps")[-1]
        self.assertEqual((last["event"], last["code"]), ("error", "language-failed"))
        self.assert_named(last["reply"], "steps of its plan")

    def test_does_not_blame_a_plugin_for_what_the_request_brought(self):
        request = {"code": "arguments", "lang": "misbehaves", "arguments": "x " * 5000}
        reply = self.host.ask(json.dumps(request))
        self.assertRegex(reply, "^Invalid request: words of a command: 5001, .*send shorter or fewer arguments")
        self.assert_unharmed()

    def test_refuses_a_reply_that_is_no_text(self):
        for what in ("plan-answers-bad-utf8", "reply-bad-utf8"):
            self.assert_named(self.ask(what), "its reply is not UTF-8, at byte 3$")
        self.assert_unharmed()

    def test_a_call_that_does_not_come_back_suspends_its_plugin_only(self):
        for language, call in (("plan-hangs", "plan"), ("reply-hangs", "reply")):
            with self.subTest(language):
                replies = []
                bad = threading.Thread(target=lambda: replies.append(self.ask(language, language)))
                begun = time.monotonic()
                bad.start()
                while not replies and time.monotonic() - begun < PATIENCE - 1:
                    self.assert_works()
                bad.join()
                self.assert_named(replies[0], f"{call}: did not come back within 5 s, so the plug-in is suspended", language)
                self.assert_named(self.ask("x", language), "plan: the plug-in is suspended", language)
        self.assertEqual(self.ask("unknown"), "unknown")  # the same code in another plug-in
        self.assert_unharmed()

    def test_a_thread_that_a_plugin_leaves_behind_disturbs_nobody(self):
        self.assertEqual(self.ask("plan-leaves-a-thread"), "plan-leaves-a-thread")
        self.assert_unharmed()


class Gigabytes(MisbehavingHost):
    """A host of its own: where a gigabyte takes longer than the host's patience the plug-in is suspended, which keeps the
    promise just as well."""

    @classmethod
    def setUpClass(cls):
        if available_memory() < 4 * GIB:
            raise unittest.SkipTest("less than 4 GiB of memory are free")
        super().setUpClass()

    def test_a_gigabyte_is_held_once_and_others_are_served_meanwhile(self):
        for what, why in (("gigabyte-file", f"what its plan writes to files has {GIGABYTE} bytes, at most 16777216"),
                          ("gigabyte-input", f"what its plan writes to files has {GIGABYTE} bytes"),
                          ("gigabyte-label", f"all commands of a job together has {str(GIGABYTE)[:6]}"),
                          ("plan-answers-gigabyte", f"its reply has {GIGABYTE} bytes, at most "),
                          ("reply-gigabyte", f"its reply has {GIGABYTE} bytes, at most ")):
            with self.subTest(what):
                replies = []
                bad = threading.Thread(target=lambda: replies.append(self.ask(what)))
                bad.start()
                self.assert_works()
                bad.join()
                self.assert_named(replies[0], f"({why}|(plan|reply): (did not come back|the plug-in is suspended))")
        peak = peak_memory(self.host.process.pid)
        print(f"peak memory of the host: {peak // 1024} MiB")
        self.assertLess(peak, 1.5 * GIB)
        self.assert_unharmed()


class HangingAtTheEnd(HostAndGuest):
    settings = with_plugins("misbehaving")

    def test_the_host_ends_while_calls_and_threads_of_plugins_hang(self):
        self.host.ask("-lang=misbehaves plan-leaves-a-thread")
        self.assertIn("suspended", self.host.ask("-lang=plan-hangs plan-hangs"))
        self.assertEqual(self.host.stop(), 0)


class HangingAtTheStart(HostAndGuest):
    settings = with_plugins("hanging")

    def test_the_host_starts_without_a_plugin_that_never_makes_its_languages(self):
        self.assertRegex(self.host.log(), r"passed over: language create-hangs: create: did not come back within 20 s")
        self.assert_works()
        with self.subTest("it is not called beside that call, and holds up no reload"):
            self.host.process.send_signal(signal.SIGHUP)
            self.host.await_log("the languages were read anew")
            self.assertIn("the languages of plug-in language-create-hangs.so stay as they are", self.host.log())
            status = subprocess.run([program("pbotvm"), "status"], env=clean_environment(PBOTVM_STATE=self.host.state),
                                    capture_output=True, text=True, timeout=60).stdout
            self.assertRegex(status, r"(?m)^plug-in language-create-hangs.so is suspended where languages are read: a call did not")


class BadIdentity(HostAndGuest):
    """Languages whose name, aliases, tools or hello program are impossible, or which cannot be made."""

    settings = with_plugins("bad-identity")

    def test_are_passed_over_with_the_plugins_name_and_the_host_starts(self):
        log = self.host.log()
        for plugin in ("bad-name", "bad-utf8-name", "endless-name", "name-throws", "many-aliases", "bad-tools", "tools-throw",
                       "create-throws", "null-language", "many-rules", "bad-rule"):
            with self.subTest(plugin):
                self.assertRegex(log, rf"(?m)^.*passed over: .*{plugin}.*$")
        self.assertLess(max(len(line) for line in log.splitlines()), 2000)
        self.assert_works()

    def test_others_go_on_without_the_hello_program_that_is_too_long(self):
        self.assertEqual(self.host.ask("-lang=endless-hello x"), "planned")
        self.assertNotIn("endless-name", self.host.ask("-lang=nowhere x"))


if __name__ == "__main__":
    main()
