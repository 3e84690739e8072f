# SPDX-License-Identifier: MIT
"""`pbotvm languages`: what there is, what brings it, what the guest has."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from pbotvm_testing import BUILD, HostAndGuest, clean_environment, main, program

DEFINITION = """\
name: {name}
aliases: [{name}-alias]
file: prog.{name}
tools: [{tool}]
run: [{tool}, "{{file}}"]
hello: echo hello
packages: {packages}
note: {note}
"""


class Languages(HostAndGuest):
    @classmethod
    def setUpClass(cls):
        cls.definitions = tempfile.mkdtemp(prefix="pbotvm-languages-")
        os.chmod(cls.definitions, 0o755)
        cls.addClassCleanup(shutil.rmtree, cls.definitions, True)
        for name, tool, packages, note in (("here", "cat", "{debian: [coreutils], fedora: [coreutils]}", "Always there"),
                                           ("away", "no-such-tool", "{debian: [tool-two, tool-one]}", "A note"),
                                           ("nowhere", "no-tool-either", "{fedora: [elsewhere]}", "Get it at home")):
            pathlib.Path(cls.definitions, name + ".yaml").write_text(
                DEFINITION.format(name=name, tool=tool, packages=packages, note=note))
        cls.settings = {"PBOTVM_LANGUAGES": cls.definitions}
        super().setUpClass()

    def run_command(self, *words, **changes):
        settings = {"PBOTVM_STATE": self.host.state, "PBOTVM_PLUGINS": BUILD / "lib" / "pbotvm",
                    "PBOTVM_LANGUAGES": self.definitions, **changes}
        config = self.host.environment["PBOTVM_CONFIG"]
        return subprocess.run([program("pbotvm"), "--config", config, "languages", *words], capture_output=True, text=True,
                              timeout=120, stdin=subprocess.DEVNULL, env=clean_environment(**settings))

    def rows(self, text):
        return {line.split()[0]: line for line in text.splitlines()}

    def test_tells_what_the_guest_has(self):
        done = self.run_command()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = self.rows(done.stdout)
        self.assertRegex(rows["here"], r"^here +yes +coreutils +here\.yaml; also here-alias$")
        self.assertRegex(rows["away"], r"^away +lacks no-such-tool +tool-two, tool-one +away\.yaml; also away-alias$")
        self.assertRegex(rows["nowhere"], r"^nowhere +lacks no-tool-either +fedora: elsewhere +nowhere\.yaml")
        self.assertRegex(rows["sh"], r"^sh +yes .*plug-in shell$")
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100)

    def test_tells_more_of_those_that_are_named(self):
        done = self.run_command("away-alias", "--machine", "main")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for line in ("away", "  also      away-alias", f"  from      {self.definitions}/away.yaml", "  file      prog.away",
                     "  tools     no-such-tool", "  guest     lacks no-such-tool", "  debian    tool-two, tool-one",
                     "  note      A note"):
            self.assertIn(line, done.stdout.splitlines())

    def test_json_has_all_of_it(self):
        done = self.run_command("--json", "away", "here")
        self.assertEqual(done.returncode, 0, done.stderr)
        away, here = json.loads(done.stdout)["languages"]
        self.assertEqual(away["missing"], {"main": ["no-such-tool"]})
        self.assertEqual(here["missing"], {"main": []})
        self.assertEqual(away["packages"], {"debian": ["tool-two", "tool-one"]})
        self.assertEqual((away["aliases"], away["plugin"], away["file"]), (["away-alias"], "definitions", "prog.away"))

    def test_still_lists_without_a_host(self):
        done = self.run_command(PBOTVM_STATE=os.path.join(self.folder, "nobody"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("what guests have is not known: cannot reach a host", done.stderr)
        self.assertRegex(self.rows(done.stdout)["here"], r"^here +not known +coreutils")
        asked = self.run_command("--machine", "main", PBOTVM_STATE=os.path.join(self.folder, "nobody"))
        self.assertEqual(asked.returncode, 69)

    def test_prints_packages_for_an_image(self):
        done = self.run_command("--packages", "debian", "away-alias,here,nowhere")
        self.assertEqual((done.returncode, done.stdout), (0, "coreutils\ntool-one\ntool-two\n"))
        self.assertEqual(done.stderr, "pbotvm: debian has no package for nowhere: Get it at home\n")
        everything = self.run_command("--packages", "debian", "all")
        self.assertEqual(everything.returncode, 0)
        self.assertLessEqual({"coreutils", "tool-one", "tool-two"}, set(everything.stdout.split()))

    def test_refuses_what_there_is_not(self):
        for words, status in ((["nosuch"], 64), (["--packages", "debian", "nosuch"], 64), (["--packages", "nosuch", "all"], 64),
                              (["--packages", "debian"], 64), (["--packages"], 64), (["--nosuch"], 64),
                              (["--machine", "nosuch"], 1)):
            done = self.run_command(*words)
            self.assertEqual((done.returncode, done.stdout), (status, ""), words)
            self.assertIn("nosuch" if "nosuch" in " ".join(words) else "--packages", done.stderr)

    def test_a_request_is_told_which_package_brings_what_it_lacks(self):
        self.assertEqual(self.host.ask("-lang=away x"),
                         "Language 'away' needs no-such-tool, which virtual machine 'main' does not have; packages "
                         "tool-two, tool-one of Debian bring it.")
        self.assertEqual(self.host.ask("-lang=nowhere x"),
                         "Language 'nowhere' needs no-tool-either, which virtual machine 'main' does not have; package "
                         "elsewhere of Fedora brings it. Get it at home")


if __name__ == "__main__":
    main()
