# SPDX-License-Identifier: MIT
"""What the programs say to people who ask for help, and to words that make no sense."""

import os
import pathlib
import socket
import subprocess
import threading

from pbotvm_testing import Folder, clean_environment, main, program

CLIENTS = ("run", "client", "exec")
COMMANDS = (*CLIENTS, "status", "revert", "health", "doctor", "devices", "image", "language", "languages", "plugin", "vm", "snapshot", "warm")
WITH_PARTS = {
    "devices": ("add-serials", "add-vsock", "add-virtio-serial", "list"),
    "image": ("info", "create", "overlay", "commit", "rebase", "stream"),
    "vm": ("list", "status", "start", "stop", "destroy", "console", "create", "delete"),
    "language": ("test",),
    "plugin": ("new",),
    "snapshot": ("list", "create", "revert", "delete"),
}
USAGE, MISSING, CONFIGURATION, REFUSED = 64, 69, 78, 77


class Commands(Folder):
    def run_program(self, name, *words, timeout=60, **settings):
        environment = clean_environment(PBOTVM_STATE=os.path.join(self.folder, "state"), **settings)
        return subprocess.run([program(name), *words], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env=environment, timeout=timeout, cwd=self.folder)


class Help(Commands):
    def assert_usage(self, ended, *words):
        self.assertEqual((ended.returncode, ended.stderr), (0, ""), words)
        self.assertTrue(ended.stdout.startswith("usage: "), ended.stdout)
        self.assertLessEqual(max(map(len, ended.stdout.splitlines())), 130, ended.stdout)

    def test_every_command_says_how_it_is_used(self):
        said = self.run_program("pbotvm", "--help")
        self.assert_usage(said)
        for command in COMMANDS:
            self.assert_usage(self.run_program("pbotvm", command, "--help"), command)
            self.assert_usage(self.run_program("pbotvm", "--config", "none.yaml", command, "--help"), command)
            if command != "client":
                self.assertIn(f" {command} ", said.stdout)
        for command, parts in WITH_PARTS.items():
            for part in parts:
                ended = self.run_program("pbotvm", command, part, "--help")
                self.assert_usage(ended, command, part)
                self.assertIn(part, ended.stdout)

    def test_so_do_the_originals_names_that_take_no_code(self):
        for name in ("add-serials", "add-vsock", "vm-server"):
            ended = self.run_program(name, "--help")
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self.assertTrue(ended.stdout.lower().startswith("usage: "), ended.stdout)

    def test_code_stays_code(self):
        """Under the original's names every word is, elsewhere only a sole --help is not."""
        lines = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            calls = [("vm-client", "--help"), ("pbotvm", "run", "--", "--help"), ("pbotvm", "run", "ls", "--help"),
                     ("vm-client", "--", "x"), ("vm-client", "-lang=sh", "--help")]

            def serve():
                for _ in calls:
                    connection, _ = listener.accept()
                    with connection, connection.makefile("rw") as stream:
                        lines.append(stream.readline())
                        stream.write("served\n")

            thread = threading.Thread(target=serve)
            thread.start()
            for call in calls:
                ended = self.run_program(*call, PBOTVM_SERVER=listener.getsockname()[1])
                self.assertEqual((ended.returncode, ended.stdout), (0, "served\n"), call)
            thread.join(60)
        self.assertEqual(lines, ["--help\n", "--help\n", "ls --help\n", "-- x\n", "-lang=sh --help\n"])


class Mistakes(Commands):
    def assert_refused(self, ended, status, *said, lines=1):
        """One line, without anything that a terminal would obey."""
        self.assertEqual(ended.returncode, status, ended.stdout + ended.stderr)
        printed = [line for line in ended.stderr.splitlines() if line.startswith("pbotvm: ")] or ended.stderr.splitlines()
        self.assertEqual(len(printed), 1, ended.stderr)
        self.assertLess(len(printed[0]), 1100)
        self.assertTrue(printed[0].isprintable(), repr(printed[0]))
        for text in said:
            self.assertIn(text, printed[0])

    def test_unknown_words_are_wrong_usage(self):
        for words in (["nosuch"], [""], ["status", "--nosuch"], ["revert"], ["revert", "a", "b"], ["image"], ["image", "nosuch"],
                      ["image", "info"], ["image", "info", "a", "b"], ["snapshot"], ["snapshot", "create"],
                      ["snapshot", "list", "a", "b"], ["devices"], ["devices", "nosuch"], ["vm"], ["vm", "nosuch"],
                      ["warm", "a", "b"], ["doctor", "x"], ["--config"], ["--config", "", "status"],
                      ["status", "--config="], ["revert", ""], ["health", ""], ["snapshot", "create", ""],
                      ["snapshot", "create", "a b"], ["snapshot", "create", "x" * 65], ["image", "create", "x", "0"],
                      ["image", "create", "x", "10Q"], ["image", "commit", "x", "--rate", "fast"]):
            ended = self.run_program("pbotvm", *words)
            self.assertEqual(ended.returncode, USAGE, words)
            self.assertTrue(ended.stderr.startswith("pbotvm: "), ended.stderr)
            self.assertIn("usage: ", ended.stderr)

    def test_a_word_that_is_very_long_or_odd_is_told_short_and_plain(self):
        for odd in ("x" * 100_000, "a\x1b[31mb", "one\ntwo", "\x01\x02", "caf\u00e9"):
            for words in ([odd], ["status", odd], ["image", odd], ["image", "info", odd], ["snapshot", odd],
                          ["snapshot", "create", odd], ["snapshot", "list", odd], ["warm", odd], ["vm", odd], ["vm", "status", odd],
                          ["devices", odd], ["devices", "list", odd], ["revert", odd], ["health", odd],
                          ["--config", odd, "status"], ["image", "create", odd, "1M", "extra"], ["image", "create", "x", odd]):
                ended = self.run_program("pbotvm", *words)
                self.assertIn(ended.returncode, (USAGE, MISSING, CONFIGURATION, REFUSED, 1), ended.stderr)
                first = ended.stderr.splitlines()[0]
                self.assertLess(len(first), 1100, words[:2])
                self.assertNotRegex(ended.stderr, r"[\x00-\x09\x0b-\x1f\x7f]", f"{words[:2]!r}")

    def test_settings_that_make_no_sense_name_their_variable(self):
        for name, value in (("PBOTVM_SERVER", "many"), ("PBOTVM_TIMEOUT", "-1"), ("PBOTVM_SERIAL", "1\x1b[2J"), ("PBOTVM_STATE", ""),
                            ("PBOTVM_SERVER", "9" * 100_000), ("PBOTVM_CID", "x"), ("PBOTVM_DOMAIN", "a\x1bb")):
            ended = subprocess.run([program("pbotvm"), "status"], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                   env=clean_environment(**{name: value}), timeout=60, cwd=self.folder)
            self.assertIn(ended.returncode, (CONFIGURATION, MISSING), (name, ended.stderr))
            self.assertLess(len(ended.stderr), 1100, name)
            self.assertNotRegex(ended.stderr, r"[\x00-\x09\x0b-\x1f\x7f]", name)

    def test_files_that_are_none_are_told_by_name(self):
        pathlib.Path(self.folder, "directory").mkdir()
        for words in (["--config", "none.yaml", "status"], ["--config", "directory", "status"], ["image", "info", "none"],
                      ["image", "info", "directory"], ["image", "overlay", "none", "new"], ["image", "overlay", "list", "none"]):
            self.assert_refused(self.run_program("pbotvm", *words), self.run_program("pbotvm", *words).returncode,
                                "none" if any("none" in word for word in words) else "directory")
            self.assertIn(self.run_program("pbotvm", *words).returncode, (MISSING, CONFIGURATION, 1), words)

    def test_a_name_that_is_longer_than_a_host_reads_is_refused_here(self):
        for words in (["revert", "x" * 5000], ["health", "x" * 100_000]):
            self.assert_refused(self.run_program("pbotvm", *words), REFUSED, "4096 bytes", "pbotvm status")

    def test_a_host_that_is_not_there_is_told_with_what_to_do(self):
        for words in (["status"], ["revert", "x"], ["health", "x"]):
            self.assert_refused(self.run_program("pbotvm", *words), MISSING, "start pbotvm-host", "PBOTVM_STATE")
        for words in (["snapshot", "list"], ["snapshot", "create", "mine"]):
            self.assert_refused(self.run_program("pbotvm", *words), MISSING, "start pbotvm-host")


if __name__ == "__main__":
    main()
