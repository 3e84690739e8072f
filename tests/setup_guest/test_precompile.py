# SPDX-License-Identifier: MIT
"""precompile makes precompiled headers that the compilers take, leaves fresh ones alone, never leaves half of one, and does without those
that a compiler refuses."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from pbotvm_testing import TOP, clean_environment, main

SCRIPT = TOP / "guest" / "setup" / "precompile"
# The function of setup-guest, on its own: the script changes the system that it runs on.
OF_SETUP_GUEST = r"""
eval "$(sed -n '/^precompile_headers() {/,/^}/p' "$1")"
say() { echo "said: $*"; }
note() { echo "noted: $*"; }
home=$2 dry= changes=()
precompile_headers
printf 'changed: %s\n' "${changes[@]}"
"""

SANITIZED = "#define PBOTVM_SANITIZED_ 1\n"  # of what the host puts around code


@unittest.skipUnless(shutil.which("gcc"), "no gcc here")
class Precompile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.headers = self.folder / "pbotvm"
        shutil.copytree(TOP / "guest" / "include" / "pbotvm", self.headers)

    def run_it(self, *names, path=None):
        environment = clean_environment() | ({"PATH": path} if path else {})
        return subprocess.run(["/bin/sh", SCRIPT, self.headers, *names], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env=environment, timeout=300)

    def old_gcc(self):
        """A PATH on which gcc does not know -std=c2x."""
        tools = self.folder / "old"
        tools.mkdir()
        (tools / "gcc").write_text("#!/bin/sh\nfor o; do\n  if [ \"$o\" = -std=c2x ]; then echo 'gcc: what is c2x?' >&2; exit 1; fi\n"
                                   f"done\nexec {shutil.which('gcc')} \"$@\"\n")
        (tools / "gcc").chmod(0o755)
        return f"{tools}:{clean_environment()['PATH']}"

    def other_files(self):
        return sorted(str(path.relative_to(self.headers)) for path in self.headers.rglob("*")
                      if path.is_file() and path.suffix not in (".h", ".hpp"))

    def made(self, *names):
        done = self.run_it(*names)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def taken(self, *options):
        """Which of them gcc takes for a snippet."""
        source = self.folder / "prog.c"
        source.write_text((SANITIZED if "-fsanitize=undefined" in options else "") +
                          "#include <pbotvm/usual.h>\nint main(void) { return 0; }\n")
        done = subprocess.run(["gcc", *options, "-H", "-I", self.folder, "-c", source, "-o", self.folder / "prog.o"],
                              capture_output=True, text=True, check=True, timeout=300)
        return [os.path.basename(line) for line in done.stderr.splitlines() if line.startswith("! ")]

    def test_gcc_takes_the_one_that_fits_its_options(self):
        self.assertEqual(self.made("c11", "gnu17-O2"), ["c11", "gnu17-O2"])
        self.assertEqual(self.taken("-std=c11", "-Wall", "-fsanitize=undefined"), ["c11"])
        self.assertEqual(self.taken("-std=c11", "-Wall"), [])
        self.assertEqual(self.taken("-O3"), ["gnu17-O2"])
        self.assertEqual(self.taken("-O3", "-fsanitize=undefined"), [])
        self.assertEqual(self.taken("-std=c99"), [])

    def test_programs_with_and_without_sanitizers_are_compiled_with_it(self):
        """gcc 12 ends in an internal error where a header's function has checks that the program's options do not ask for."""
        if not shutil.which("g++"):
            self.skipTest("no g++ here")
        sets = {"gnu++17": "-std=gnu++17", "gnu++17-O2": "-O2", "c++14": "-std=c++14"}
        self.assertEqual(sorted(self.made(*sets)), sorted(sets))
        source = self.folder / "prog.cpp"
        code = ("#include <pbotvm/usual.hpp>\nint main(int argc, char **) {\n  int x = INT_MAX;\n  x += argc;\n"
                '  std::bitset<4> bits("0101");\n  bits[1] = x != 0;\n  ::pbotvm_::value_("bits"), bits.count();\n}\n')
        for name, options in sets.items():
            for sanitizer in ("", "-fsanitize=undefined"):
                source.write_text((SANITIZED if sanitizer else "") + code)
                with self.subTest(f"{options} {sanitizer}"):
                    done = subprocess.run(["g++", *f"{options} {sanitizer}".split(), "-H", "-I", self.folder, source, "-o",
                                           self.folder / "prog"], capture_output=True, text=True, timeout=300)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(f"! {self.headers}/usual.hpp.gch/{name}\n" in done.stderr, bool(sanitizer) == (name == "c++14"))
                    ran = subprocess.run([self.folder / "prog"], capture_output=True, text=True, timeout=300)
                    # A value is shown where nothing was printed, also by a sanitizer.
                    self.assertEqual(ran.stdout, "" if sanitizer else "no output: bits = 3 (unsigned long)")
                    self.assertEqual("signed integer overflow" in ran.stderr, bool(sanitizer), ran.stderr)

    def test_what_is_fresh_is_left_alone_until_one_of_its_headers_changes(self):
        usual, other, output = self.headers / "usual.h", self.headers / "other.h", self.headers / "usual.h.gch" / "c11"
        other.write_text("")
        usual.write_text(usual.read_text() + '#include "other.h"\n')
        self.assertEqual(self.made("c11"), ["c11"])
        for changed in (usual, other):
            with self.subTest(changed.name):
                before = output.stat()
                self.assertEqual(self.made("c11"), [])
                self.assertEqual(output.stat(), before)
                while changed.stat().st_ctime_ns <= before.st_mtime_ns:  # a file system may count coarsely
                    changed.write_text(changed.read_text() + "/* changed */\n")
                self.assertEqual(self.made("c11"), ["c11"])
                self.assertNotEqual(output.stat().st_ino, before.st_ino)

    def test_one_that_the_compiler_refuses_is_named_and_the_others_are_made(self):
        done = self.run_it("c11", "c2x", "c17", path=self.old_gcc())
        self.assertEqual((done.returncode, done.stdout), (1, "c11\nc17\n"), done.stderr)
        self.assertIn("gcc: what is c2x?\n", done.stderr)
        self.assertIn("precompile: c2x: none, gcc says above why\n", done.stderr)
        self.assertEqual(self.other_files(), ["usual.h.gch/c11", "usual.h.gch/c17"])

    def test_two_at_a_time_are_not_in_each_others_way(self):
        runs = [subprocess.Popen(["/bin/sh", SCRIPT, self.headers, "c11", "c17"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, env=clean_environment()) for _ in range(2)]
        for run in runs:
            _, said = run.communicate(timeout=300)
            self.assertEqual((run.returncode, said), (0, ""))
        self.assertEqual(self.other_files(), ["usual.h.gch/c11", "usual.h.gch/c17"])
        self.assertEqual(self.taken("-std=c11", "-fsanitize=undefined"), ["c11"])
        self.assertEqual(self.taken("-std=c17", "-fsanitize=undefined"), ["c17"])

    def of_setup_guest(self, path):
        """What setup-guest tells of it, with the real script on headers of ours."""
        script = self.folder / "setup" / "precompile"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"[ \"$1\" = /usr/include/pbotvm ] && exec sh {SCRIPT} {self.headers} c11 c2x\n")
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", OF_SETUP_GUEST, "bash", TOP / "guest" / "setup-guest", self.folder],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, env=clean_environment() | {"PATH": path},
                              timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_setup_guest_tells_what_it_did_without_and_changes_only_what_is_not_right(self):
        old = self.of_setup_guest(self.old_gcc())
        self.assertIn("noted: not all headers of C and C++ are precompiled", old)
        self.assertEqual(old.count("changed: "), 1)
        self.assertIn("changed: /usr/include/pbotvm: headers precompiled for c11\n", old)
        path = clean_environment()["PATH"]
        self.assertEqual(self.of_setup_guest(path), "said: setup-guest: /usr/include/pbotvm: headers precompiled for c2x\n"
                                                    "changed: /usr/include/pbotvm: headers precompiled for c2x\n")
        self.assertEqual(self.of_setup_guest(path), "changed: \n")

    def test_a_header_that_does_not_compile_leaves_nothing_and_fails(self):
        (self.headers / "usual.h").write_text("#include <stdio.h>\n#error no\n")
        done = self.run_it("c11")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")
        self.assertEqual(self.other_files(), [])

    def test_a_system_without_compilers_gets_none(self):
        tools = self.folder / "bin"
        tools.mkdir()
        for name in ("sh", "find", "mkdir", "mv", "rm", "sed"):
            (tools / name).symlink_to(shutil.which(name))
        done = self.run_it(path=str(tools))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


if __name__ == "__main__":
    main()
