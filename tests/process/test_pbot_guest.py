# SPDX-License-Identifier: MIT
"""The real host with `protocol: pbot`: a guest of PBot's own dialect stands behind real terminals (tests/lib/pbot_guest.py)."""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

import pbot_guest
from pbotvm_testing import Folder, Host, clean_environment, main, wait_for

YAML = """\
default_machine: main
machines:
  main:
    hypervisor: none
    protocol: pbot
    transports: [serial]
    serial: "unix:{folder}/data.sock"
    heart: "unix:{folder}/heart.sock"
    heartbeat: {{mode: {mode}}}
"""


class PbotGuest(Folder):
    """`options` go to the guest, `settings` to the host's environment."""

    options = ()
    mode = "poll"
    settings = {}
    ready = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.start_guest()
        cls.host = Host(cls.folder, cls.settings, YAML.format(folder=cls.folder, mode=cls.mode)).start()
        cls.addClassCleanup(cls.host.stop)
        if cls.ready:
            cls.host.await_state("ready")

    @classmethod
    def start_guest(cls):
        cls.guest = subprocess.Popen([sys.executable, "-B", pbot_guest.__file__, cls.folder, *cls.options],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=clean_environment())
        cls.addClassCleanup(cls.end_guest, cls.guest)
        cls.guest.stdout.readline()

    @staticmethod
    def end_guest(guest):
        guest.kill()
        guest.wait()
        guest.stdout.close()

    def requests(self):
        log = pathlib.Path(self.folder, "requests.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in log.splitlines()]


class Requests(PbotGuest):
    settings = {"PBOTVM_QUEUE_TIMEOUT": "60", "PBOTVM_TIMEOUT": "20"}

    def test_runs_a_shell_job_as_the_originals_host_would_send_it(self):
        self.assertEqual(self.host.ask("-lang=sh echo hello"), "hello")
        request = self.requests()[-1]
        self.assertEqual({k: request[k] for k in ("lang", "sourcefile", "execfile", "cmdline", "arguments", "code")},
                         {"lang": "sh", "sourcefile": "prog.sh", "execfile": "prog.sh", "cmdline": "sh prog.sh",
                          "arguments": "", "code": "echo hello"})

    def test_compiles_and_runs_c(self):
        self.assertEqual(self.host.ask('-lang=c11 printf("%d\\n", 6 * 7);'), "42")
        self.assertIn("undeclared", self.host.ask("-lang=c11 return y;"))

    def test_passes_input_and_arguments(self):
        self.assertEqual(self.host.ask("-lang=sh cat -stdin one\\ntwo"), "one\ntwo")
        self.assertEqual(self.host.ask("-lang=sh -args \"'a b' c\" printf '<%s>' \"$@\""), "<a b><c>")
        line = json.dumps({"code": "-lang=c11 for (int i = 1; i < argc; i++) printf(\"<%s>\", argv[i]); puts(\"\");",
                           "arguments": "'a b' \"it's\" c"})
        self.assertEqual(self.host.ask(line), "<a b><it's><c>")

    def test_tells_how_a_job_ended_in_the_guests_words(self):
        for code, reply in [("echo hi; exit 3", "hi\n [Exit 3]"), ("exit 3", "Exit 3."), ("true", "Success (no output)."),
                            ("echo out; echo err >&2", "err\n out")]:
            with self.subTest(code):
                self.assertEqual(self.host.ask("-lang=sh " + code), reply)

    def test_sends_code_whole_that_is_longer_than_a_terminals_line(self):
        text = "".join(chr(33 + i % 90) for i in range(30_000)).replace("'", ".").replace("\\", ".")
        self.assertEqual(self.host.ask(json.dumps({"code": f"-lang=sh printf %s '{text}'"})), text)

    def test_terminals_editing_keys_in_code_are_only_bytes(self):
        code = "-lang=sh printf %s 'a\x7f\x08\x15\x17\x03\x04\x1c\x1a\x11\x13\x16b\u00e4' | od -An -tx1"
        reply = self.host.ask(json.dumps({"code": code}))
        self.assertEqual("".join(reply.split()), "617f081517" "03041c1a" "111316" "62c3a4")

    def test_takes_nothing_that_a_client_or_a_job_writes_for_an_answer(self):
        forged = 'result:{"result":"forged"}\nresult:end\n'
        self.assertEqual(self.host.ask(json.dumps({"code": "-lang=sh cat", "stdin": forged})), forged.rstrip())
        for shift in range(11):  # one of them has the mark where a line is cut
            code = "-lang=sh : '" + "x" * shift + "result:end " * 1200 + "'; echo mine"
            self.assertEqual(self.host.ask(json.dumps({"code": code})), "mine")

    def test_never_mixes_the_replies_of_many_clients(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda n: self.host.ask(f"-lang=sh echo {n}"), range(24)))
        self.assertEqual(replies, [str(n) for n in range(24)])

    def test_sends_no_request_that_the_guest_cannot_read(self):
        self.host.ask("-lang=sh echo hello")
        self.assertFalse([r for r in self.requests() if r.get("bad")])

    def test_shows_the_guests_own_figures_and_its_answers_as_signs_of_life(self):
        health = self.host.control("health", machine="main")
        self.assertIn("procs", json.dumps(health))
        self.assertNotIn("\\r", json.dumps(health))
        self.assertIsNotNone(self.host.machine()["heartbeat_age_s"])

    def test_says_once_what_the_dialect_cannot(self):
        self.assertEqual(self.host.log().count("does not contain jobs fully"), 1)


class Noise(PbotGuest):
    options = ("--noise",)

    def test_passes_over_what_is_no_answer(self):
        self.assertEqual(self.host.ask("-lang=sh echo hello"), "hello")
        self.assertEqual(self.host.ask("-lang=sh echo again"), "again")


class Lateness(PbotGuest):
    settings = {"PBOTVM_TIMEOUT": "3", "PBOTVM_QUEUE_TIMEOUT": "60"}

    def test_a_late_answer_never_reaches_the_next_client(self):
        for n in range(2):
            self.assertEqual(self.host.ask(f"-lang=sh sleep 6; echo SECRET{n}"), "[Timed-out]")
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                replies = list(pool.map(lambda i: self.host.ask(f"-lang=sh echo {i}"), range(4)))
            self.assertEqual(replies, ["0", "1", "2", "3"])

    def test_an_answer_that_an_earlier_host_did_not_await_reaches_nobody(self):
        with self.host.connect() as client:
            client.sendall(b"-lang=sh touch %s/begun; sleep 3; echo SECRET\n" % self.folder.encode())
            wait_for("the job", lambda: os.path.exists(os.path.join(self.folder, "begun")))
            self.host.stop()
        self.host.start().await_state("ready")
        self.assertEqual(self.host.ask("-lang=sh echo mine"), "mine")


class Beats(PbotGuest):
    options = ("--heart", "beat")
    mode = "beat"

    def test_a_guest_that_beats_on_its_own_needs_no_poll(self):
        wait_for("a beat", lambda: self.host.machine()["heartbeat_age_s"] is not None)
        self.assertEqual(self.host.ask("-lang=sh echo hello"), "hello")


class Echo(PbotGuest):
    options = ("--heart", "mute")
    ready = False

    def test_an_echo_of_the_poll_is_no_sign_of_life(self):
        self.host.await_log("no heartbeat for 15", 90)


if __name__ == "__main__":
    main()
