# SPDX-License-Identifier: MIT
"""-paste: the whole reply is kept, and where it is is answered; standard input where a request brings none."""

import json
import os
import pathlib
import re
import shutil
import stat
import tempfile

from pbotvm_json import JsonClient, run
from pbotvm_testing import HostAndGuest, main, wait_for

NAME = r"[0-9a-f]{32}\.\w+"


class Paste(HostAndGuest):
    settings = {"PBOTVM_FORTUNE": "false"}

    def kept(self, path):
        self.assertRegex(path, "^" + re.escape(os.path.join(self.host.state, "paste")) + "/" + NAME + "$")
        return pathlib.Path(path).read_text()

    def test_keeps_source_command_and_output_and_answers_the_path(self):
        path = self.host.ask("-lang=sh -paste -args \"'a b' c\" cat; echo \"$1\" -stdin one\\ntwo")
        self.assertTrue(path.endswith(".sh"))
        text = self.kept(path)
        self.assertIn('cat; echo "$1"\n', text)
        self.assertIn("sh prog.sh 'a b' c\n", text)
        self.assertRegex(text, r"(?s)CMDLINE.*standard input:\n(# )?one\n(# )?two\n.*OUTPUT")
        self.assertRegex(text, r"(?s)OUTPUT.*one\n(# )?two\n(# )?a b\n")

    def test_a_shell_runs_the_page_as_it_ran_the_program(self):
        first = self.host.ask("-lang=sh -paste echo hello; exit 3")
        text = self.kept(first)
        self.assertIn(" [Exit 3]", text)
        reply = self.host.ask(json.dumps({"lang": "sh", "code": text.replace("; exit 3", "")}))
        self.assertEqual(reply, "hello")

    def test_is_for_its_group_alone(self):
        path = self.host.ask("-lang=sh -paste echo x")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o750)

    def test_stands_anywhere_among_the_options_and_nowhere_else(self):
        for line in ("-lang=sh -e -paste echo x", "-lang=sh -o errexit -paste echo x", "-lang=sh -args y -paste echo x",
                     '-lang=c11 -include time.h -paste puts("x");'):
            self.kept(self.host.ask(line))
        self.assertEqual(self.host.ask("-lang=sh echo -paste"), "-paste")
        self.assertEqual(self.host.ask("-lang=sh echo x -stdin -paste"), "x")

    def test_json_streams_the_output_and_ends_with_the_path(self):
        events = run(self.host, "-lang=sh -paste echo streamed")
        self.assertEqual([e["event"] for e in events], ["start", "output", "step", "end"])
        self.assertEqual(events[1]["text"], "streamed\n")
        self.assertIn("streamed", self.kept(events[-1]["reply"]))

    def test_nothing_is_kept_where_nothing_was_run(self):
        self.assertEqual(self.host.ask("-lang=sh -paste -info"), "sh cmdline: sh prog.sh")
        self.assertTrue(self.host.ask("-lang=sh -paste").startswith("Usage: "))


class Bounds(HostAndGuest):
    settings = {"PBOTVM_PASTE_FILES": "2", "PBOTVM_PASTE_URL": "https://paste.example.org/?p="}

    def test_answers_a_link_and_lets_the_oldest_go(self):
        names = []
        for number in range(3):
            reply = self.host.ask(f"-lang=sh -paste echo number {number}")
            self.assertRegex(reply, r"^https://paste\.example\.org/\?p=" + NAME + "$")
            names.append(reply.split("?p=")[1])
            path = os.path.join(self.host.state, "paste", names[-1])
            os.utime(path, (number + 1, number + 1))
        self.assertEqual(set(os.listdir(os.path.join(self.host.state, "paste"))), set(names[1:]))

    def test_still_replies_where_it_cannot_write(self):
        directory = os.path.join(self.host.state, "paste")
        self.host.ask("-lang=sh -paste echo before")
        shutil.rmtree(directory)
        pathlib.Path(directory).write_text("in the way\n")
        self.assertEqual(self.host.ask("-lang=sh -paste echo printed"),
                         "printed\n[Not pasted: the host could not write it; its log says why]")
        os.unlink(directory)
        self.assertRegex(self.host.ask("-lang=sh -paste echo printed"), "^https://")
        self.assertEqual(len(os.listdir(directory)), 1)


class TurnedOff(HostAndGuest):
    settings = {"PBOTVM_PASTE_FILES": "0"}

    def test_says_so_before_anything_runs(self):
        self.assertEqual(self.host.ask("-lang=sh -paste echo x"),
                         "Invalid request: this host keeps no pastes; send the request without -paste.")


class WithFortune(HostAndGuest):
    """A host that finds a program `fortune` of the test's, whatever this system has."""

    fortune = ""

    @classmethod
    def setUpClass(cls):
        programs = tempfile.mkdtemp(prefix="pbotvm-")
        cls.addClassCleanup(shutil.rmtree, programs, True)
        os.chmod(programs, 0o755)
        path = pathlib.Path(programs, "fortune")
        path.write_text("#!/bin/sh\n" + cls.fortune)
        path.chmod(0o755)
        cls.settings = {"PATH": programs + ":" + os.environ["PATH"]}
        super().setUpClass()


class Input(WithFortune):
    fortune = "echo A saying of\necho process $$.\n"

    def test_a_program_without_input_reads_one_short_line(self):
        lines = {self.host.ask("-lang=sh cat") for _ in range(20)}
        self.assertGreater(len(lines), 1)
        for line in lines:
            self.assertRegex(line, r"^[^\n]{1,512}$")

    def test_the_line_is_the_program_fortunes(self):
        wait_for("a line of it", lambda: re.fullmatch(r"A saying of process \d+\.", self.host.ask("-lang=sh cat")), 60)

    def test_an_input_that_is_named_is_kept_as_it_is(self):
        self.assertEqual(self.host.ask(json.dumps({"lang": "sh", "code": "cat", "stdin": ""})), "Success (no output).")
        self.assertEqual(self.host.ask(json.dumps({"lang": "sh", "code": "cat", "stdin": "mine"})), "mine")
        self.assertEqual(self.host.ask("-lang=sh cat -stdin mine"), "mine")

    def test_an_input_that_is_streamed_is_kept_as_it_is(self):
        with JsonClient(self.host, "-lang=sh cat", stdin_stream=True) as client:
            client.say(**{"stdin-end": True})
            self.assertEqual(client.rest()[-1]["reply"], "Success (no output).")


class HangingFortune(WithFortune):
    fortune = "echo begun\nexec >&-\nexec sleep 1000\n"

    def test_neither_a_request_nor_the_end_of_the_host_waits_for_it(self):
        for _ in range(3):
            self.assertRegex(self.host.ask("-lang=sh cat"), r"^[^\n]{10,}$")
        self.assertEqual(self.host.stop(), 0)


class NoFortune(HostAndGuest):
    settings = {"PBOTVM_FORTUNE": "false"}

    def test_a_program_without_input_reads_nothing(self):
        self.assertEqual(self.host.ask("-lang=sh cat"), "Success (no output).")


if __name__ == "__main__":
    main()
