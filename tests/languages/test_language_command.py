# SPDX-License-Identifier: MIT
"""`pbotvm language`: definitions tried with the programs of this system, and languages of an image."""

import os
import pathlib
import signal
import subprocess
import unittest

from pbotvm_testing import BUILD, NONE_YAML, TOP, Folder, Guest, Host, clean_environment, main, program, wait_for

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

    def test_a_name_that_a_plugin_has_is_a_mistake_of_the_file(self):
        for name, plugin, text in (("c11", "c", GOOD + "aliases: [c11]\n"), ("sh", "shell", GOOD + "aliases: [sh]\n"),
                                   ("bash", "shell", GOOD.replace("shouting", "bash"))):
            with self.subTest(name):
                file = self.definition(text)
                done = self.run_language("test", file)
                self.assertEqual((done.returncode, done.stderr), (78, f"{file}: error: the name '{name}' is that of a language of "
                                                                      f"the plug-in language-{plugin}.so; take another one\n"))

    def test_says_why_a_file_cannot_be_a_definition(self):
        here = pathlib.Path(self.folder, "kinds")
        here.mkdir(exist_ok=True)
        here.joinpath("loop.yaml").symlink_to("loop.yaml")
        here.joinpath("nowhere.yaml").symlink_to("missing")
        os.mkfifo(here / "pipe.yaml")
        here.joinpath("empty.yaml").touch()
        with open(here / "huge.yaml", "wb") as huge:
            huge.truncate(100 << 20)
        for name, why in (("missing.yaml", "no such file"), ("nowhere.yaml", "no such file"),
                          ("loop.yaml", "Too many levels of symbolic links"), ("pipe.yaml", "this is a named pipe"),
                          ("named.yml", "name it .yaml"), ("", "this is a directory"), ("empty.yaml", "name"), ("huge.yaml", "larger than")):
            with self.subTest(name):
                done = self.run_language("test", f"{here}/{name}")
                self.assertEqual(done.returncode, 78, done.stderr)
                self.assertRegex(done.stderr, rf"\A{here}/{name}(:1:1)?: error: .*{why}.*\n\Z")
                self.assertEqual(done.stdout, "")

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_says_that_a_file_is_not_this_users_to_read(self):
        file = self.definition(GOOD)
        file.chmod(0)
        os.chmod(self.folder, 0o755)
        environment = clean_environment(PBOTVM_PLUGINS=BUILD / "lib" / "pbotvm", PBOTVM_LANGUAGES="/", PBOTVM_STATE="/tmp")
        done = subprocess.run([program("pbotvm"), "language", "test", file], env=environment, capture_output=True, text=True,
                              timeout=200, user=65534, group=65534, extra_groups=[], check=False)
        self.assertEqual((done.returncode, done.stderr), (78, f"{file}: error: it cannot be read: Permission denied\n"))

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


class ThroughAHost(Folder):
    def setUp(self):
        self.definitions = pathlib.Path(self.folder, "definitions")
        self.definitions.mkdir()
        guest = Guest(self.folder)
        self.addCleanup(guest.stop)
        yaml = NONE_YAML.format(data=guest.data, heart=guest.heart)
        self.host = Host(self.folder, {"PBOTVM_LANGUAGES": self.definitions, "PBOTVM_LANGUAGE": "sh"}, yaml).start()
        self.addCleanup(self.host.stop)
        self.host.await_state("ready")

    def try_file(self, file):
        done = subprocess.run([program("pbotvm"), "language", "test", "--machine", "main", file], capture_output=True, text=True,
                              env=self.host.environment, timeout=200, check=False)
        return done.returncode, done.stdout, done.stderr

    def reload(self):
        before = self.host.log().count("were read anew")
        self.host.process.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: self.host.log().count("were read anew") > before, 60)

    def test_tries_no_other_definition_than_the_file(self):
        new = pathlib.Path(self.folder, "new.yaml")
        new.write_text(GOOD)
        with self.subTest("the host has none of that name"):
            status, shown, complaint = self.try_file(new)
            self.assertEqual((status, shown), (77, ""))
            self.assertRegex(complaint, rf"\Apbotvm: the host that holds the machine does not have {new}: its language "
                                        r"'shouting' is not there; put the file into .*SIGHUP.*\n\Z")
        own = self.definitions / "shouting.yaml"
        own.write_text(GOOD)
        self.reload()
        with self.subTest("it has the file"):
            status, shown, complaint = self.try_file(own)
            self.assertEqual((status, complaint), (0, ""), shown)
            self.assertTrue(shown.endswith("shouting: passed\n"), shown)
        with self.subTest("it has another one"):
            status, shown, complaint = self.try_file(new)
            self.assertEqual((status, shown), (77, ""))
            self.assertIn(f"its language 'shouting' is that of {own}; ", complaint)
        with self.subTest("it has read an earlier one"):
            own.write_text(GOOD + "note: a new one\n")
            status, shown, complaint = self.try_file(own)
            self.assertEqual((status, shown), (77, ""))
            self.assertIn("before it changed; send SIGHUP", complaint)
        for what, text in (("command", GOOD.replace('run: [sh, ', 'run: [sh, -e, ')), ("stdin_program", GOOD.replace("cat", "exec cat")),
                           ("wrap", GOOD + 'wrap: {unless: [zz], before: "true; ", after: ""}\n'),
                           ("comment", GOOD + 'comment: {begin: "# ", end: ""}\n'), ("variable", GOOD.replace('"1"', '"2"'))):
            with self.subTest("it has read one with another " + what):
                own.write_text(text)
                status, shown, complaint = self.try_file(own)
                self.assertEqual((status, shown), (77, ""), complaint)
                self.assertIn("before it changed; send SIGHUP", complaint)
                own.write_text(GOOD)


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
