# SPDX-License-Identifier: MIT
"""What a C or C++ program that crashes in the real machine tells its author, and that its headers are precompiled."""

import json
import re

from pbotvm_machine import VirtualMachine
from pbotvm_testing import main

SIGSEGV = "Program received signal SIGSEGV, Segmentation fault"


class Crashes(VirtualMachine):
    settings = {"PBOTVM_TIMEOUT": "60"}  # the system may be busy

    def test_tells_signal_function_statement_and_locals(self):
        reply = self.host.ask("-lang=c11 int *p = 0; int k = 7; *p = k;")
        self.assertIn("runtime error: store to null pointer of type 'int'", reply)
        self.assertRegex(reply, SIGSEGV + r" in main \(argc=1, argv=0x[0-9a-f]+\) at statement: \*p = k; <local variables: p = 0x0; k = 7>")
        self.assertNotIn("[Exit", reply)
        self.assertNotIn("@pbotvm", reply)

    def test_tells_who_called_and_leaves_libraries_out(self):
        reply = self.host.ask('-lang=c11 int f(char *s) { return *s; } int g(int n) { if (n < 0) abort(); return n; } g(f("a") - 98);')
        self.assertRegex(reply, r"signal SIGABRT, Aborted in g \(n=-1\) at statement: if \(n < 0\) abort\(\); called by main \(")
        self.assertNotIn("libc", reply)
        self.assertNotIn("raise", reply)

    def test_a_failed_assertion_is_told_once(self):
        reply = self.host.ask("-lang=c11 int x = 3; assert(x == 4);")
        self.assertEqual(reply.count("Assertion `x == 4' failed"), 1, reply)
        self.assertRegex(reply, r"SIGABRT, Aborted in main \(.*<local variables: x = 3>")

    def test_an_endless_recursion_is_named(self):
        reply = self.host.ask("-lang=c11 int f(int n) { return f(n + 1) + 1; } f(0);")
        self.assertRegex(reply, re.escape(SIGSEGV) + r" \(stack overflow\) in f \(n=\d+\).*called by f \(n=\d+\).* \(and so on\)")
        self.assertLess(len(reply), 1000)

    def test_the_last_statement_may_crash(self):
        self.assertRegex(self.host.ask("-lang=c11 volatile int z = 0; 7 / z"), "SIGFPE, Arithmetic exception in main ")

    def test_a_client_of_json_is_told_the_programs_own_end(self):
        reply = self.host.send(json.dumps({"lang": "c11", "code": "puts(\"out\"); abort();", "reply": "json"}))
        events = [json.loads(line) for line in reply.splitlines()]
        self.assertEqual([event["label"] for event in events if event["event"] == "step"], ["compile", "run", "explain"])
        self.assertEqual({event["label"] for event in events if event["event"] == "output"}, {"run"})
        self.assertEqual(events[-1]["signal"], 6)
        self.assertNotIn("exit", events[-1])
        self.assertRegex(events[-1]["reply"], "^out\nProgram received signal SIGABRT, Aborted in main ")

    def test_an_exit_is_no_crash(self):
        self.assertIn("Exit 3", self.host.ask("-lang=c11 exit(3);"))
        self.assertNotIn("received signal", self.host.ask("-lang=c11 return 139;"))

    def test_of_a_thread_the_one_that_crashed_is_shown(self):
        reply = self.host.ask('-lang=c11 -std=c11 -include pthread.h void *f(void *p) { int q = 5; *(volatile int *)8 = q; return p; } '
                              "pthread_t t; pthread_create(&t, 0, f, 0); pthread_join(t, 0);")
        self.assertRegex(reply, SIGSEGV + r" in f \(p=0x0\) at statement: .*<local variables: q = 5>")

    def test_an_uncaught_exception_is_told_once(self):
        reply = self.host.ask('-lang=c++ vector<int> v{1, 2}; throw runtime_error("boom");')
        self.assertEqual(reply.count("boom"), 2, reply)  # what(), and the statement
        self.assertEqual(reply.count("what():"), 1, reply)
        self.assertIn("SIGABRT, Aborted in main (", reply)
        self.assertIn("v = std::vector of length 2, capacity 2 = {1, 2}", reply)

    def test_a_program_with_much_memory_is_explained_with_its_variables(self):
        reply = self.host.ask("-lang=c11 char *p = malloc(24 << 20); memset(p, 1, 24 << 20); int k = 7; *(volatile int *)8 = 1;")
        self.assertRegex(reply, re.escape(SIGSEGV) + r" in main .*<local variables: p = 0x[0-9a-f]+ .*; k = 7>")

    def test_an_array_of_any_size_takes_no_time_and_leaves_the_others(self):
        for size in (200_000, 1_000_000):
            reply = self.host.ask(f"-lang=c11 char buf[{size}] = {{0}}; int k = 7; *(volatile int *)8 = k;")
            self.assertRegex(reply, re.escape(SIGSEGV) + r" in main \(.*<local variables: buf = .*\.\.\.; k = 7>")
            self.assertNotIn("[Timed-out]", reply)

    def test_values_that_are_long_to_be_shown_do_not_use_up_the_programs_time(self):
        reply = self.host.ask("-lang=c++ int f(vector<map<int, string>> v, int n) { if (!n) abort(); return f(v, n - 1) + 1; } "
                              "vector<map<int, string>> v(30); for (auto &m : v) for (int i = 0; i < 30; i++) m[i] = \"abc\"; f(v, 8);")
        self.assertRegex(reply, "SIGABRT, Aborted in f \\(v=std::vector of length 30.* called by f ")
        self.assertNotIn("[Timed-out]", reply)

    def test_a_core_too_large_for_its_limit_leaves_signal_and_place(self):
        for use in ("memset(p, 1, 100 << 20)", "p[0] = 1"):
            reply = self.host.ask(f"-lang=c11 char *p = malloc(100 << 20); {use}; *(volatile int *)8 = 1;")
            self.assert_place_alone(reply)

    def assert_place_alone(self, reply):
        self.assertRegex(reply, re.escape(SIGSEGV) + r" in main \(.*\) at statement: ")
        self.assertNotIn("<local variables", reply)
        self.assertNotIn("<error", reply)
        self.assertNotIn("Cannot access", reply)
        self.assert_works()

    def test_variables_that_cannot_be_read_are_left_out(self):
        reply = self.host.ask("-lang=c++ int k = 7; string *lost = (string *)16; string &other = *lost; char *far = (char *)8; "
                              "string fine = \"here\"; abort();")
        self.assertRegex(reply, r"<local variables: k = 7; lost = 0x10; (other = \S+; )?far = 0x8; fine = \"here\">")
        self.assertNotIn("error", reply)

    def test_what_a_program_holds_is_not_taken_for_the_debuggers_words(self):
        frame = "#0  0x1 in evil () at prog.c:1"
        lines = "".join(f"\\n@{mark} frames\\n{frame}\\n        k = 666\\n" for mark in ("pbotvm-frames", "", "0" * 32))
        reply = self.host.ask(f'-lang=c11 char text[] = "{lines}"; int k = 7; puts(text); abort();')
        told = reply[reply.rindex("Program received"):]
        self.assertRegex(told, r"^Program received signal SIGABRT, Aborted in main \(")
        self.assertIn("; k = 7>", told)

    def test_nothing_of_the_core_is_left_for_the_next_job(self):
        self.host.ask("-lang=c11 abort();")
        self.assertEqual(self.host.ask("-lang=sh find / -name core -type f -user vm 2>/dev/null | wc -l; ulimit -c"), "0\n0")

    def test_addresses_of_a_freed_block_are_shortened(self):
        reply = self.host.ask("-lang=c11 -fsanitize=address -std=c11 char *p = malloc(4); free(p); p[1] = 1;")
        self.assertIn("AddressSanitizer: heap-use-after-free: write of 1 byte in main, 1 byte inside of a 4-byte region, freed in main, "
                      "allocated in main", reply)
        self.assertNotIn("Shadow", reply)


class Helpers(VirtualMachine):
    settings = {"PBOTVM_TIMEOUT": "60"}

    def test_values_and_types_are_told(self):
        self.assertEqual(self.host.ask("-lang=c11 int x[] = {1, 2}; print(x); whatis(x[0]); puts(\"end\");"), "x = {1, 2}\nx[0] = int\nend")

    def test_calls_and_changes_are_traced(self):
        reply = self.host.ask("-lang=c11 int f(int n) { return n * 2; } int a = 1; trace(f); watch(a); a = f(3); return a - 6;")
        self.assertEqual(reply, "called f (n=3)\nf returned 6\na: 1 -> 6")

    def test_a_crash_is_explained_just_as_well(self):
        reply = self.host.ask("-lang=c11 int *p = 0; print(p); *p = 1;")
        self.assertIn("p = (int *) 0x0", reply)
        self.assertIn(SIGSEGV + " in main ", reply)


class PrecompiledHeaders(VirtualMachine):
    settings = {"PBOTVM_TIMEOUT": "120"}

    def used(self, language, options=""):
        """Which precompiled header the compiler takes for a snippet's own source with the options of a job."""
        command = self.host.ask(f"-lang={language} {options} -info".replace("  ", " ")).split("cmdline: ", 1)[1]
        source, header = ("prog.cpp", "usual.hpp") if "++" in language else ("prog.c", "usual.h")
        checks = "#define PBOTVM_SANITIZED_ 1" if "-fsanitize" in command else ""
        script = f"echo '{checks}' > {source}; echo '#include <pbotvm/{header}>' >> {source}; echo 'int main(void) {{ return 0; }}' >> {source}; {command} -H 2>&1 | grep '^!'"
        return self.host.ask(json.dumps({"lang": "bash", "code": script}), 200)

    def test_are_used_with_the_default_options_of_every_standard(self):
        for language in ("c++", "c++17", "c++20", "c++23", "c89", "c99", "c11", "c17", "c2x"):
            with self.subTest(language):
                self.assertRegex(self.used(language), r"^! /usr/include/pbotvm/usual\.h(pp)?\.gch/")

    def test_are_used_with_other_warnings(self):
        self.assertIn("usual.hpp.gch/c++14", self.used("c++", "-Wall -std=c++14 -fsanitize=undefined"))
        self.assertIn("usual.hpp.gch/gnu++17", self.used("c++", "-Wall"))

    def test_are_used_by_an_optimised_program_too(self):
        self.assertIn("usual.hpp.gch/gnu++17-O2", self.used("c++", "-O2"))
        self.assertIn("usual.hpp.gch/c++20-O2", self.used("c++20", "-O3 -std=c++20"))
        self.assertIn("usual.h.gch/gnu17-O2", self.used("c11", "-O2"))

    def clang(self, options, first="#if 1", compiled=True):
        """Which precompiled header clang++ is given for a snippet's own source, as clang itself says it."""
        source = f"{first}\\n#include <pbotvm/usual.hpp>\\n#endif\\nint main() {{ cout << 42 << endl; }}\\n"
        run = f"clang++ {options} prog.cpp -o prog && ./prog; " if compiled else ""
        script = f"printf '{source}' >prog.cpp; {run}clang++ -### {options} prog.cpp -o prog 2>&1 | " \
                 "grep -o 'usual.hpp.pch/[^\"]*' || echo none"
        return self.host.ask(json.dumps({"lang": "bash", "code": script}), 300).split()

    def test_are_used_by_clang_where_they_fit(self):
        if self.host.ask("-lang=sh command -v clang++ >/dev/null || echo none") == "none":
            self.skipTest("no clang in this image")
        command = self.host.ask("-lang=clang++ -info").split("cmdline: clang++ ", 1)[1]
        defaults = command.replace("prog.cpp ", "").replace(" -o prog", "")
        self.assertEqual(self.clang(defaults), ["42", "usual.hpp.pch/c++14"])
        self.assertEqual(self.clang("-Wall"), ["42", "usual.hpp.pch/gnu++14"])
        self.assertEqual(self.clang("-O3 -Wall"), ["42", "usual.hpp.pch/gnu++14-O2"])
        for options in ("-std=c++17", "-fno-exceptions", "-pthread", "-Werror", "-DNDEBUG", "-fsanitize=address"):
            with self.subTest(options):
                self.assertEqual(self.clang(options, compiled=False), ["none"])  # compiling takes a minute without
        self.assertEqual(self.clang("-Wall", "#define X 1\\n#if 1", compiled=False), ["none"])


if __name__ == "__main__":
    main()
