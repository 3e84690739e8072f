# SPDX-License-Identifier: MIT
"""`pbotvm language`: definitions tried with the programs of this system, and languages of an image."""

import os
import pathlib
import subprocess

from pbotvm_testing import BUILD, TOP, Folder, clean_environment, main, program

# Its tools are on every system.
GOOD = """\
name: shouting
file: prog.sh
compile: [sh, -n, "{file}"]
run: [sh, "{file}", "{arguments}"]
environment: {LOUD: "1"}
hello: echo hello
stdin_program: cat
packages: {debian: [dash]}
"""


class LanguageCommand(Folder):
    def run_language(self, *words, definitions=TOP / "etc" / "languages"):
        environment = clean_environment(PBOTVM_PLUGINS=BUILD / "lib" / "pbotvm", PBOTVM_LANGUAGES=definitions,
                                        PBOTVM_STATE=os.path.join(self.folder, "state"))
        return subprocess.run([program("pbotvm"), "language", *map(str, words)], env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=200)

    def definition(self, text):
        file = pathlib.Path(self.folder, "x.yaml")
        file.write_text(text)
        return file

    def test_runs_both_programs_and_shows_the_commands(self):
        done = self.run_language("test", self.definition(GOOD))
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertIn("with the programs of this system", done.stdout)
        self.assertIn("  run: LOUD=1 sh prog.sh\n", done.stdout)
        self.assertRegex(done.stdout, r"compile took [0-9.]+ s: exit 0")
        self.assertTrue(done.stdout.endswith("shouting: passed\n"), done.stdout)

    def test_a_program_that_does_not_do_what_it_should_is_told(self):
        done = self.run_language("test", self.definition(GOOD.replace("stdin_program: cat", "stdin_program: echo 41")))
        self.assertEqual(done.returncode, 1)
        self.assertIn("failed: it was to copy its input, the line 42, and nothing else", done.stdout)
        done = self.run_language("test", self.definition(GOOD.replace("echo hello", "echo hello; exit 3")))
        self.assertEqual(done.returncode, 1)
        self.assertIn("failed: not every command ended with exit 0", done.stdout)

    def test_a_mistake_has_its_place(self):
        file = self.definition(GOOD.replace("hello:", "helo:"))
        done = self.run_language("test", file)
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, rf"\A{file}:6:1: error: .*hello.*\n\Z")

    def test_a_missing_program_is_told_with_its_package(self):
        done = self.run_language("test", self.definition(GOOD.replace("[sh, \"{file}\"", "[no-such-shell, \"{file}\"")))
        self.assertEqual((done.returncode, done.stderr), (69, "pbotvm: this system has no no-such-shell; apt-get install dash\n"))

    def test_languages_by_name_have_a_line_each(self):
        folder = pathlib.Path(self.folder, "definitions")
        folder.mkdir()
        (folder / "shouting.yaml").write_text(GOOD)
        absent = GOOD.replace("name: shouting", "name: absent").replace("run: [sh", "run: [no-such-shell")
        (folder / "absent.yaml").write_text(absent.replace("packages: {debian: [dash]}\n", ""))
        done = self.run_language("test", "sh", "shouting", "absent", definitions=folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
        self.assertEqual([(line[0], line[1], line[4]) for line in lines],
                         [("sh", "passed", "dash"), ("shouting", "passed", "dash"), ("absent", "missing", "-")])

    def test_nothing_to_test_is_wrong_usage(self):
        self.assertEqual(self.run_language("test").returncode, 64)
        self.assertEqual(self.run_language("test", "--all", "sh").returncode, 64)
        self.assertIn("no such file", self.run_language("test", "/nonexistent/x.yaml").stderr)


class ImageBuild(Folder):
    def build(self, languages):
        command = [TOP / "guest" / "image" / "build", "--output", self.folder, "--guest", program("pbotvm-guest"), "--languages", languages]
        environment = clean_environment(PBOTVM_PLUGINS=BUILD / "lib" / "pbotvm", PBOTVM_LANGUAGES=TOP / "etc" / "languages")
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200)

    def test_a_language_that_cannot_be_in_an_image_ends_the_build_before_it_begins(self):
        for languages, why in [("core,zig", "Debian 12 has no package"), ("rubyx", "there is no language 'rubyx'")]:
            with self.subTest(languages):
                done = self.build(languages)
                self.assertEqual(done.returncode, 1)
                self.assertIn(why, done.stderr)
                self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    main()
