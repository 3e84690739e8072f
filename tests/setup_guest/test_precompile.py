# SPDX-License-Identifier: MIT
"""precompile makes precompiled headers that the compilers take, leaves fresh ones alone, and never leaves half of one."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from pbotvm_testing import TOP, clean_environment, main

SCRIPT = TOP / "guest" / "setup" / "precompile"


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

    def made(self, *names):
        done = self.run_it(*names)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def taken(self, *options):
        """Which of them gcc takes for a snippet."""
        source = self.folder / "prog.c"
        source.write_text("#include <pbotvm/usual.h>\nint main(void) { return 0; }\n")
        done = subprocess.run(["gcc", *options, "-H", "-I", self.folder, "-c", source, "-o", self.folder / "prog.o"],
                              capture_output=True, text=True, check=True, timeout=300)
        return [os.path.basename(line) for line in done.stderr.splitlines() if line.startswith("! ")]

    def test_gcc_takes_the_one_that_fits_its_options(self):
        self.assertEqual(self.made("c11", "gnu17-O2"), ["c11", "gnu17-O2"])
        self.assertEqual(self.taken("-std=c11", "-Wall"), ["c11"])
        self.assertEqual(self.taken("-O3"), ["gnu17-O2"])
        self.assertEqual(self.taken("-std=c99"), [])

    def test_what_is_fresh_is_left_alone_until_its_header_changes(self):
        self.assertEqual(self.made("c11"), ["c11"])
        before = (self.headers / "usual.h.gch" / "c11").stat()
        self.assertEqual(self.made("c11"), [])
        self.assertEqual((self.headers / "usual.h.gch" / "c11").stat(), before)
        # A file system may count coarsely.
        os.utime(self.headers / "usual.h.gch" / "c11", (before.st_mtime - 10, before.st_mtime - 10))
        self.assertEqual(self.made("c11"), ["c11"])

    def test_a_header_that_does_not_compile_leaves_nothing_and_fails(self):
        (self.headers / "usual.h").write_text("#include <stdio.h>\n#error no\n")
        done = self.run_it("c11")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")
        self.assertEqual([path for path in self.headers.rglob("*") if path.is_file() and path.suffix not in (".h", ".hpp")], [])

    def test_a_system_without_compilers_gets_none(self):
        tools = self.folder / "bin"
        tools.mkdir()
        for name in ("sh", "find", "mkdir", "mv", "rm"):
            (tools / name).symlink_to(shutil.which(name))
        done = self.run_it(path=str(tools))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


if __name__ == "__main__":
    main()
