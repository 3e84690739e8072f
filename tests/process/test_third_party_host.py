# SPDX-License-Identifier: MIT
"""The real guest program with a host that was written from docs/protocol.md alone: what it does with each frame that is
not right (section 9), with several jobs at once, and with files that are taken back."""

import contextlib
import json
import os
import socket
import struct
import time

from pbotvm_frames import (CANCEL, CLEAN, COLLECTED, CREDIT, ERROR, FILE, HELLO, INPUT, JOB, OUTPUT, PING, PONG, RESULT,
                           STEP, WELCOME, Frame, Reader, message)
from pbotvm_testing import TOP, Folder, Guest, main

SEED = "ab" * 32
LIMITS = {"wall_ms": 20000, "cpu_ms": 20000, "output": 1 << 20}


class Conversation:
    def __init__(self, path, nonce=0x1122334455667788, **hello):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.reader, self.nonce = Reader(), nonce
        self.send(HELLO, {"time_ns": time.time_ns(), "seed": SEED, **hello})
        self.welcome = self.expect(WELCOME).json()

    def close(self):
        self.socket.close()

    def raw(self, data):
        self.socket.sendall(data)

    def send(self, type, value=b"", job=0, nonce=None):
        self.raw(message(type, value, job, self.nonce if nonce is None else nonce))

    def next(self, seconds=60):
        end = time.monotonic() + seconds
        while (frame := self.reader.next()) is None:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.reader.feed(data)
        return frame

    def expect(self, type, job=None):
        """The next frame of that type and job; others are passed over."""
        while True:
            frame = self.next()
            if frame.type == type and (job is None or frame.job == job):
                return frame

    def job(self, number, argv, files=(), **more):
        """Announces it; `files` are pairs of path and content."""
        order = {"steps": [{"argv": argv, "input": True}], "limits": LIMITS,
                 "files": [{"path": path, "size": len(content)} for path, content in files], **more}
        self.send(JOB, order, number)
        for index, (_, content) in enumerate(files):
            for at in range(0, len(content), 32764):
                self.send(FILE, struct.pack(">I", index) + content[at:at + 32764], number)

    def end(self, number):
        """Its output, its result and whether it was proven to be gone."""
        output = b""
        while True:
            frame = self.next()
            if frame.job != number:
                continue
            if frame.type == OUTPUT:
                output += frame.payload[5:]
                self.send(CREDIT, struct.pack(">I", len(frame.payload) - 5), number)
            if frame.type == RESULT:
                result = frame.json()
            if frame.type == CLEAN:
                return output, result, frame.json()
            if frame.type == ERROR:
                raise AssertionError(frame)


class ThirdPartyHost(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest = Guest(cls.folder)
        cls.addClassCleanup(cls.guest.stop)

    def setUp(self):
        self.line = self.open(slots=2)

    def tearDown(self):
        self.assertIsNone(self.guest.process.poll(), "the guest has ended")

    def open(self, **hello):
        line = Conversation(self.guest.data, **hello)
        self.addCleanup(line.close)
        return line

    def assert_works(self, line=None):
        line = line or self.line
        line.job(99, ["echo", "works"])
        line.send(INPUT, b"", 99)
        self.assertEqual(line.end(99)[0], b"works\n")

    def assert_refused(self, job, code):
        error = self.line.expect(ERROR, job).json()
        self.assertEqual(error["code"], code, error)

    # ---- what is right

    def test_gives_at_most_the_slots_that_were_asked_for(self):
        self.assertEqual(self.line.welcome.get("slots", 1), 2)
        self.assertEqual(self.open().welcome.get("slots", 1), 1)
        names = self.open(tools=["sh", "no-such-tool"]).welcome.get("tools", [])
        self.assertEqual(names, ["sh"])

    def test_writes_files_and_directories_before_the_first_step(self):
        self.line.job(1, ["sh", "-c", "cat a/b/c; ls -d made/by/order; test -s empty || echo empty"],
                      [("a/b/c", b"x" * 100000 + b"\n"), ("empty", b"")], directories=["made/by/order"])
        output, result, clean = self.line.end(1)
        self.assertEqual(output, b"x" * 100000 + b"\nmade/by/order\nempty\n")
        self.assertEqual(result.get("limit", "none"), "none")
        self.assertTrue(clean.get("proven") or clean["why"])

    def test_runs_jobs_beside_each_other(self):
        """Each ends only when the other one has been told to."""
        for number in (1, 2):
            self.line.job(number, ["sh", "-c", "echo up; read word; echo $word"])
        for number in (1, 2):
            self.line.expect(OUTPUT, number)
        for number in (2, 1):
            self.line.send(INPUT, b"word%d\n" % number, number)
            self.line.send(INPUT, b"", number)
            self.assertIn(b"word%d" % number, self.line.end(number)[0])

    def test_streams_output_before_the_job_has_ended(self):
        self.line.job(1, ["sh", "-c", "echo first; read word; echo $word"])
        self.assertEqual(self.line.expect(OUTPUT, 1).payload[5:], b"first\n")
        self.line.send(INPUT, b"second\n", 1)
        self.line.send(INPUT, b"", 1)
        self.assertEqual(self.line.end(1)[0], b"second\n")

    def test_waits_for_credit_and_lets_the_other_job_pass(self):
        self.line.job(1, ["head", "-c", "400000", "/dev/zero"])
        got = 0
        while got < 262144:
            got += len(self.line.expect(OUTPUT, 1).payload) - 5
        self.assertEqual(got, 262144)
        self.assert_works()
        self.line.send(CREDIT, struct.pack(">I", 400000), 1)
        self.assertEqual(len(self.line.end(1)[0]), 400000 - 262144)

    def test_ends_a_job_that_is_cancelled_and_sends_what_it_had_printed(self):
        self.line.job(1, ["sh", "-c", "echo before; sleep 60"])
        self.line.expect(OUTPUT, 1)
        self.line.send(CANCEL, b"ignored", 1)
        begun = time.monotonic()
        result = self.line.end(1)[1]
        self.assertEqual(result["limit"], "cancelled")
        self.assertLess(time.monotonic() - begun, 50)

    def test_cancels_a_job_that_still_waits_for_its_files(self):
        self.line.job(1, ["true"], files=())
        self.line.send(INPUT, b"", 1)
        self.line.end(1)
        self.line.send(JOB, {"files": [{"path": "a", "size": 5}], "steps": [{"argv": ["true"]}], "limits": LIMITS}, 2)
        self.line.send(CANCEL, b"", 2)
        self.assertEqual(self.line.end(2)[1]["limit"], "cancelled")

    def test_takes_files_back(self):
        script = "mkdir -p out/deep; printf kept > out/a.txt; head -c 300000 /dev/zero > out/deep/b.bin; ln -s /etc/passwd out/l; : > other"
        self.line.job(1, ["sh", "-c", script], collect={"patterns": ["out/**"]})
        self.line.send(INPUT, b"", 1)
        collected = self.line.expect(COLLECTED, 1).json()
        self.assertEqual([(file["path"], file["size"]) for file in collected["files"]],
                         [("out/a.txt", 4), ("out/deep/b.bin", 300000)])
        self.assertEqual([left["path"] for left in collected.get("left_behind", [])], ["out/l"])
        content = {0: b"", 1: b""}
        while len(content[1]) < 300000:
            frame = self.line.expect(FILE, 1)
            index, = struct.unpack(">I", frame.payload[:4])
            self.assertGreater(len(frame.payload), 4)
            content[index] += frame.payload[4:]
            self.line.send(CREDIT, struct.pack(">I", len(frame.payload) - 4), 1)
        self.assertEqual(content, {0: b"kept", 1: bytes(300000)})
        self.assertEqual(self.line.end(1)[1].get("limit", "none"), "none")

    def test_says_that_there_was_nothing_to_take_back(self):
        self.line.job(1, ["true"], collect={"patterns": ["*.none"]})
        self.line.send(INPUT, b"", 1)
        self.assertEqual(self.line.expect(COLLECTED, 1).json().get("files", []), [])

    def test_a_hello_ends_the_jobs_of_the_conversation_before(self):
        self.line.job(1, ["sh", "-c", "echo up; sleep 60; echo SECRET"])
        self.line.expect(OUTPUT, 1)
        self.line.nonce = 7
        self.line.send(HELLO, {"time_ns": time.time_ns(), "seed": SEED, "slots": 2})
        self.line.expect(WELCOME)
        self.assert_works()

    # ---- what is not

    def test_refuses_a_job_before_the_first_hello(self):
        line = Conversation.__new__(Conversation)
        line.socket, line.reader, line.nonce = socket.socket(socket.AF_UNIX), Reader(), 5
        self.addCleanup(line.close)
        line.socket.connect(self.guest.data)
        line.send(PING, b"not yet")
        line.send(JOB, {"steps": [{"argv": ["true"]}]}, 1)
        frame = line.next()
        self.assertEqual((frame.type, frame.job, frame.nonce), (ERROR, 1, 5))
        self.assertEqual(frame.json()["code"], "no-conversation")

    def test_drops_what_belongs_to_no_conversation(self):
        self.line.send(PING, b"stale", nonce=1)
        self.line.send(JOB, {"steps": [{"argv": ["true"]}]}, 1, nonce=1)
        self.line.send(200, b"of a later version")
        self.line.send(WELCOME, {})
        self.line.send(CANCEL, b"", 5)
        self.line.send(CREDIT, b"\0\0\0\1", 5)
        self.line.send(FILE, b"\0\0\0\0x", 5)
        self.line.send(PING, b"fresh", 12)
        pong = self.line.next()
        self.assertEqual((pong.type, pong.payload, pong.job), (PONG, b"fresh", 12))

    def test_finds_its_way_back_after_garbage(self):
        vectors = json.loads((TOP / "tests" / "protocol" / "vectors.json").read_text())
        for vector in vectors["streams"]:
            if vector["name"] != "half a frame is no frame":
                self.line.raw(bytes.fromhex(vector["bytes"]))
        self.line.send(PING, b"after all that")
        self.assertEqual(self.line.expect(PONG).payload, b"after all that")

    def test_drops_half_a_frame_of_a_host_that_is_gone(self):
        self.line.raw(Frame(PING, b"x" * 1000, 0, self.line.nonce).encode()[:500])
        # After 2 s of silence, as the guest sees them; where it was late, once more.
        for _ in range(10):
            time.sleep(2.5)
            self.line.send(PING, b"whole")
            with contextlib.suppress(TimeoutError):
                pong = self.line.next(5)
                self.assertEqual((pong.type, pong.payload), (PONG, b"whole"))
                return
        self.fail("no answer")

    def test_refuses_every_bad_hello_and_goes_on(self):
        vectors = json.loads((TOP / "tests" / "protocol" / "vectors.json").read_text())
        for vector in vectors["refused"]:
            if vector["type"] == HELLO:
                with self.subTest(vector["name"]):
                    self.line.send(HELLO, bytes.fromhex(vector["payload"]), nonce=77)
                    error = self.line.expect(ERROR, 0)
                    self.assertEqual((error.nonce, error.json()["code"]), (77, "bad-message"))
        self.assert_works()

    def test_refuses_every_bad_job_and_goes_on(self):
        vectors = json.loads((TOP / "tests" / "protocol" / "vectors.json").read_text())
        for number, vector in enumerate(vectors["refused"], 1000):
            if vector["type"] == JOB:
                with self.subTest(vector["name"]):
                    self.line.send(JOB, bytes.fromhex(vector["payload"]), number)
                    self.assert_refused(number, "bad-message")
        self.assert_works()

    def test_refuses_numbers_that_are_taken(self):
        self.line.send(JOB, {"steps": [{"argv": ["true"]}]}, 0)
        self.assert_refused(0, "bad-job")
        self.line.job(1, ["cat"])
        self.line.send(JOB, {"steps": [{"argv": ["true"]}]}, 1)
        self.assert_refused(1, "bad-job")
        self.line.send(INPUT, b"still there", 1)
        self.line.send(INPUT, b"", 1)
        self.assertEqual(self.line.end(1)[0], b"still there")

    def test_refuses_more_jobs_than_it_has_slots(self):
        for number in (1, 2):
            self.line.job(number, ["cat"])
        self.line.job(3, ["cat"], [("a", b"ignored")])
        self.line.send(INPUT, b"ignored", 3)
        self.assert_refused(3, "busy")
        for number in (1, 2):
            self.line.send(INPUT, b"", number)
            self.line.end(number)
        self.assert_works()

    def test_refuses_a_job_that_begins_within_another_ones_announcement(self):
        self.line.raw(Frame(JOB, b'{"steps":', 1, self.line.nonce, True).encode())
        self.line.send(JOB, {"steps": [{"argv": ["true"]}]}, 2)
        self.assert_refused(2, "bad-message")
        self.assert_works()

    def test_ends_a_job_whose_frames_are_bad(self):
        order = {"files": [{"path": "a", "size": 4}, {"path": "b", "size": 4}], "steps": [{"argv": ["cat"], "input": True}],
                 "limits": LIMITS}
        bad = {
            "a file that is not due": (FILE, b"\0\0\0\1xx"),
            "more of a file than its size": (FILE, b"\0\0\0\0xxxxx"),
            "a file without its index": (FILE, b"\0\0"),
            "a credit of three bytes": (CREDIT, b"\0\0\1"),
        }
        for number, (name, (type, payload)) in enumerate(bad.items(), 1):
            with self.subTest(name):
                self.line.send(JOB, order, number)
                self.line.send(type, payload, number)
                self.assert_refused(number, "bad-message")
        self.assert_works()

    def test_ends_a_job_whose_input_is_over_its_credit_or_behind_its_end(self):
        self.line.job(1, ["sleep", "60"])
        for _ in range(16):  # what fits into the program's pipe counts as read
            self.line.send(INPUT, b"i" * 32768, 1)
        self.assert_refused(1, "bad-message")
        self.line.job(2, ["sleep", "60"])
        self.line.send(INPUT, b"", 2)
        self.line.send(INPUT, b"late", 2)
        self.assert_refused(2, "bad-message")
        self.assert_works()


if __name__ == "__main__":
    main()
