# SPDX-License-Identifier: MIT
"""Replies in JSON: what a client reads while its job runs, and what it may say meanwhile."""

import base64
import json
import socket
import threading

from pbotvm_json import JsonClient, output_bytes, output_text, reset_at_close, run
from pbotvm_testing import NONE_YAML, Folder, Guest, Host, HostAndGuest, main, read_all, wait_for

STEP_KEYS = {"event", "step", "label", "limit", "cut", "wall", "user", "system", "memory"}


class Events(HostAndGuest):
    settings = {"PBOTVM_TIMEOUT": "60"}

    def test_tells_a_job_from_its_start_to_its_end(self):
        events = run(self.host, "-lang=sh echo hello; exit 3")
        self.assertEqual([e["event"] for e in events], ["start", "output", "step", "end"])
        start, output, step, end = events
        self.assertEqual(start, {"event": "start", "language": "sh", "machine": "main"})
        self.assertEqual(output, {"event": "output", "step": 0, "label": "run", "stream": "stdout", "text": "hello\n"})
        self.assertEqual(set(step), STEP_KEYS | {"exit"})
        self.assertEqual((step["exit"], step["limit"], step["cut"]), (3, None, 0))
        self.assertEqual(set(end), {"event", "exit", "limit", "cut", "wall", "user", "system", "memory", "reply"})
        self.assertEqual((end["exit"], end["reply"]), (3, "hello\n [Exit 3]"))
        for key in ("wall", "user", "system"):
            self.assertIsInstance(step[key], float)
        for key in ("memory", "cut", "step"):
            self.assertIsInstance(step[key], int)
        self.assertGreater(step["memory"], 0)

    def test_sends_output_while_the_job_still_runs(self):
        with JsonClient(self.host, "-lang=sh echo first; read x; echo $x", stdin_stream=True) as client:
            client.await_text("first\n")
            client.say(stdin="second\n")
            client.await_text("second\n")
            self.assertEqual(client.rest()[-1]["reply"], "first\nsecond")

    def test_keeps_the_streams_apart(self):
        events = run(self.host, "-lang=sh echo o1; echo e1 >&2; echo o2; echo e2 >&2")
        self.assertEqual(output_text(events, "stdout"), "o1\no2\n")
        self.assertEqual(output_text(events, "stderr"), "e1\ne2\n")
        self.assertEqual(events[-1]["reply"], "e1\ne2\n o1\no2")

    def test_tells_the_steps_of_a_compiled_program(self):
        events = run(self.host, '-lang=c11 int *p = 0; puts("x"); fflush(stdout); *p = 1;')
        steps = [e for e in events if e["event"] == "step"]
        self.assertEqual([s["label"] for s in steps], ["compile", "run", "explain"])
        # The debugger's own words are for the language: the reply says what they mean.
        self.assertLessEqual({e["label"] for e in events if e["event"] == "output"}, {"compile", "run"})
        self.assertIn("signal SIGSEGV", events[-1]["reply"])
        self.assertEqual((steps[1]["signal"], steps[1]["signal-name"]), (11, "SIGSEGV"))
        self.assertNotIn("exit", steps[1])
        self.assertEqual((events[-1]["signal"], events[-1]["signal-name"]), (11, "SIGSEGV"))
        self.assertAlmostEqual(events[-1]["wall"], sum(step["wall"] for step in steps), places=5)

    def test_joins_a_character_that_came_in_two_pieces(self):
        code = "-lang=sh printf 'a\\303'; echo half >&2; read x; printf '\\251b'"
        with JsonClient(self.host, code, stdin_stream=True) as client:
            client.await_text("half\n")
            client.say(stdin="go\n")
            events = client.rest()
        outputs = [e for e in events if e["event"] == "output" and e["stream"] == "stdout"]
        self.assertTrue(all("text" in e for e in outputs), outputs)
        self.assertEqual("".join(e["text"] for e in outputs), "a\u00e9b")

    def test_gives_bytes_that_are_no_text_unharmed(self):
        data = bytes(range(256)) * 300
        with JsonClient(self.host, "-lang=sh cat", stdin_stream=True) as client:
            client.say(**{"stdin-base64": base64.b64encode(data).decode(), "stdin-end": True})
            self.assertEqual(output_bytes(client.rest()), data)
        events = run(self.host, "-lang=sh printf 'x\\303'")
        self.assertEqual(output_bytes(events), b"x\xc3")
        self.assertEqual(events[-1]["reply"], "x\ufffd")

    def test_answers_at_once_where_no_job_is_needed(self):
        self.assertEqual(run(self.host, "-lang=sh -info"), [{"event": "end", "reply": "sh cmdline: sh prog.sh"}])
        (usage,) = run(self.host, "-lang=sh")
        self.assertTrue(usage["reply"].startswith("Usage: cc "))

    def test_tells_why_nothing_was_run(self):
        for code, keys, error in (("-lang=nosuch x", {}, "unknown-language"), ("-vm=nosuch x", {}, "unknown-machine"),
                                  ("-lang sh x", {}, "bad-request"), ("x", {"files": 5}, "bad-request"),
                                  ("x", {"persist-key": "a/b"}, "bad-request")):
            with self.subTest(code, **keys):
                (event,) = run(self.host, code, **keys)
                self.assertEqual((event["event"], event["code"]), ("error", error))
                self.assertTrue(event["text"])
                self.assertEqual(event["reply"], event["text"])

    def test_answers_in_text_where_the_form_cannot_be_read(self):
        self.assertTrue(self.host.ask('{"reply":"json","code":').startswith("Invalid request: a line that begins"))
        self.assertEqual(self.host.ask('{"reply":"xml","code":"x"}'),
                         'Invalid request: the key "reply" must be "text" or "json".')
        self.assertIn('needs "reply":"json"', self.host.ask('{"code":"x","outputs":["a"]}'))

    def test_ends_the_input_with_the_word_or_with_the_clients_last_byte(self):
        with JsonClient(self.host, "-lang=sh cat; echo end", stdin_stream=True, stdin="first ") as client:
            client.say(stdin="second\n")
            client.say(**{"stdin-end": True})
            self.assertEqual(client.rest()[-1]["reply"], "first second\nend")
        with JsonClient(self.host, "-lang=sh cat; echo end", stdin_stream=True) as client:
            client.say(stdin="all\n")
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(client.rest()[-1]["reply"], "all\nend")

    def test_takes_more_input_than_it_keeps(self):
        piece = "0123456789abcde\n" * 8192
        with JsonClient(self.host, "-lang=sh sleep 0.3; wc -c", stdin_stream=True) as client:
            for _ in range(40):
                client.say(stdin=piece)
            client.say(**{"stdin-end": True})
            self.assertEqual(client.rest()[-1]["reply"].strip(), str(40 * len(piece)))

    def test_ends_a_job_that_reads_nothing_of_what_is_sent(self):
        with JsonClient(self.host, "-lang=sh echo ready; sleep 0.5; exit 3", stdin_stream=True) as client:
            client.await_text("ready\n")

            def flood():
                try:
                    for _ in range(200):
                        client.say(stdin="x" * 100_000)
                except OSError:
                    pass  # the host has closed

            flooding = threading.Thread(target=flood)
            flooding.start()
            while (event := client.next()) is not None and event["event"] != "end":
                pass
            self.assertEqual(client.events[-1]["exit"], 3)
            client.socket.shutdown(socket.SHUT_RDWR)
            flooding.join(60)
            self.assertFalse(flooding.is_alive())
        self.assert_works()

    def test_cancels_at_the_clients_word(self):
        with JsonClient(self.host, "-lang=sh echo begun; sleep 50") as client:
            client.await_text("begun\n")
            client.say(cancel=True)
            end = client.rest()[-1]
        self.assertEqual((end["event"], end["limit"], end["reply"]), ("end", "cancelled", "begun\n [Killed]"))
        self.assert_works()

    def test_heeds_a_word_that_came_with_the_request(self):
        with self.host.connect() as s:
            s.sendall(b'{"code":"-lang=sh sleep 50","reply":"json"}\n{"cancel":true}\n')
            last = json.loads(read_all(s).splitlines()[-1])
        self.assertTrue(last.get("code") == "cancelled" or last.get("limit") == "cancelled", last)

    def test_ends_the_request_of_a_client_that_says_something_wrong(self):
        for words, text in ((b"no object\n", "must be a JSON object"), (b'{"stdin":5}\n', "must be a string"),
                            (b'{"stdin-base64":"*"}\n', "base64"), (b"\xff\n", "UTF-8"),
                            (b"x" * 2_000_000, "longer than 1 MiB")):
            with self.subTest(text), JsonClient(self.host, "-lang=sh echo begun; sleep 50", stdin_stream=True) as client:
                client.await_text("begun\n")
                client.socket.sendall(words)
                last = client.rest()[-1]
                self.assertEqual((last["event"], last["code"]), ("error", "bad-request"))
                self.assertIn(text, last["text"])
        with self.host.connect() as s:  # mostly before its job is begun
            s.sendall(b'{"code":"-lang=sh sleep 50","reply":"json","stdin-stream":true}\nno object\n')
            last = json.loads(read_all(s).splitlines()[-1])
        self.assertEqual((last["event"], last["code"]), ("error", "bad-request"))
        with JsonClient(self.host, "-lang=sh echo begun; sleep 50") as client:
            client.await_text("begun\n")
            client.say(stdin="x")
            self.assertIn("stdin-stream", client.rest()[-1]["text"])
        self.assert_works()

    def test_leaves_blank_lines_and_unknown_keys_alone(self):
        with JsonClient(self.host, "-lang=sh read x; echo $x", stdin_stream=True) as client:
            client.socket.sendall(b"\n \r\n")
            client.say(future=[1, {"a": 2}])
            client.say(stdin="x\n")
            self.assertEqual(client.rest()[-1]["reply"], "x")

    def test_never_mixes_the_events_of_many_clients(self):
        def ask(n):
            events = run(self.host, f"-lang=sh for i in 1 2 3; do echo {n}; done")
            results.append((n, output_text(events)))

        results = []
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(results), [(n, f"{n}\n" * 3) for n in range(30)])


class Limits(HostAndGuest):
    settings = {"PBOTVM_TIMEOUT": "2", "PBOTVM_OUTPUT_LIMIT": "1000"}

    def test_names_the_limit_that_ended_the_job(self):
        end = run(self.host, "-lang=sh echo begun; sleep 50")[-1]
        self.assertEqual((end["limit"], end["reply"]), ("wall", "begun\n [Timed-out]"))
        events = run(self.host, "-lang=sh head -c 5000 /dev/zero | tr '\\0' x; sleep 50")
        self.assertEqual(output_text(events), "x" * 1000)
        self.assertEqual(events[-1]["limit"], "output")
        self.assertTrue(events[-1]["reply"].endswith("[Output cut at 1000 bytes]"))


SLOT_YAML = NONE_YAML + "    slots: 1\n"


class OneSlot(Folder):
    """A machine that a forgotten job would block for everybody."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest = Guest(cls.folder)
        cls.addClassCleanup(cls.guest.stop)
        settings = {"PBOTVM_TIMEOUT": "300", "PBOTVM_QUEUE_TIMEOUT": "60", "PBOTVM_OUTPUT_LIMIT": "4 MiB"}
        cls.host = Host(cls.folder, settings, SLOT_YAML.format(data=cls.guest.data, heart=cls.guest.heart)).start()
        cls.addClassCleanup(cls.host.stop)
        cls.host.await_state("ready")

    def test_cancels_the_job_of_a_client_that_is_gone(self):
        client = JsonClient(self.host, "-lang=sh echo begun; sleep 250")
        client.await_text("begun\n")
        client.vanish()
        self.assertEqual(self.host.ask("-lang=sh echo next"), "next")

    def test_cancels_the_job_of_a_client_of_text_that_is_gone(self):
        with self.host.connect() as client:
            client.sendall(b"-lang=sh sleep 250\n")
            wait_for("the job", lambda: self.host.machine()["state"] == "leased")
            with self.host.connect() as waiting:
                waiting.sendall(b"-lang=sh sleep 250\n")
                wait_for("the other one in line", lambda: self.host.machine()["waiting"] == 1)
                reset_at_close(waiting)
            reset_at_close(client)
        self.assertEqual(self.host.ask("-lang=sh echo next"), "next")

    def test_serves_a_client_that_only_stopped_speaking(self):
        with self.host.connect() as s:
            s.sendall(b"-lang=sh sleep 0.5; echo done\n")
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(s), b"done\n")

    def test_keeps_no_slot_for_a_client_that_does_not_read(self):
        # Its reply is larger than what the system keeps for it, so that the host must wait for it to read.
        with self.host.connect() as slow:
            slow.sendall(b'{"code":"-lang=sh head -c 3000000 /dev/zero","reply":"json"}\n')
            self.assertEqual(self.host.ask("-lang=sh echo next"), "next")
            events = [json.loads(line) for line in read_all(slow).splitlines()]
        self.assertEqual(len(output_bytes(events)), 3_000_000)
        self.assertEqual(events[-1]["event"], "end")


if __name__ == "__main__":
    main()
