# SPDX-License-Identifier: MIT
"""The real host with a guest that was written from docs/protocol.md alone."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import zlib

from pbotvm_frames import Frame, Reader
from pbotvm_testing import TOP, Folder, Host, clean_environment, main, wait_for

YAML = """\
default_machine: main
machines:
  main:
    hypervisor: none
    slots: 8
    transports: [virtio-serial]
    serial: 0
    virtio_serial: "unix:{data}"
    heart: "unix:{heart}"
"""
TIMEOUT = 10


class ThirdPartyGuest(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        data, heart = os.path.join(cls.folder, "data.sock"), os.path.join(cls.folder, "heart.sock")
        cls.guest = subprocess.Popen(
            [sys.executable, "-B", str(pathlib.Path(__file__).with_name("third_party_guest.py")), data, heart],
            stdin=subprocess.DEVNULL, env=clean_environment())
        cls.addClassCleanup(cls.guest.wait)
        cls.addClassCleanup(cls.guest.terminate)
        wait_for("the guest's sockets", lambda: os.path.exists(data) and os.path.exists(heart))
        cls.host = Host(cls.folder, {"PBOTVM_TIMEOUT": TIMEOUT, "PBOTVM_OUTPUT_LIMIT": 1 << 20},
                        YAML.format(data=data, heart=heart)).start()
        cls.addClassCleanup(cls.host.stop)
        cls.host.await_state("ready")

    def tearDown(self):
        self.assertIsNone(self.guest.poll(), "the guest has ended")

    def test_says_who_it_is_and_how_many_jobs_it_takes(self):
        machine = self.host.machine()
        self.assertEqual(machine["guest"], "third party")
        self.assertEqual(machine["slots"], 4)  # of 8 that were asked for

    def test_runs_jobs_with_files_steps_and_input(self):
        self.assertEqual(self.host.ask("-lang=sh echo hello"), "hello")
        self.assertEqual(self.host.ask('-lang=c11 printf("%d\\n", 6 * 7);'), "42")
        self.assertEqual(self.host.ask("-lang=sh cat -stdin one\\ntwo"), "one\ntwo")
        self.assertEqual(self.host.ask("-lang=sh echo hi; exit 3"), "hi\n [Exit 3]")
        self.assertEqual(self.host.ask("-lang=sh kill -9 $$"), "Exit 137.")

    def test_passes_more_input_and_output_than_the_first_credit(self):
        text = "0123456789abcde\n" * 40000
        self.assertEqual(self.host.ask(json.dumps({"code": "-lang=sh cat", "stdin": text})), text.rstrip())

    def test_ends_what_runs_too_long_and_keeps_what_was_printed(self):
        self.assertEqual(self.host.ask("-lang=sh echo begun; sleep 100"), "begun\n [Timed-out]")
        self.assertEqual(self.host.ask("-lang=sh echo well"), "well")

    def test_ends_what_prints_too_much(self):
        reply = self.host.ask("-lang=sh yes")
        self.assertTrue(reply.endswith(f"[Output cut at {1 << 20} bytes]"), reply[-60:])

    def test_runs_several_jobs_at_one_time(self):
        # Each of the four waits for the other three.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            code = "touch {0}/$$.here; while [ $(ls {0} | grep -c here) -lt 4 ]; do sleep 0.02; done; echo met"
            folder = os.path.join(self.folder, "meeting")
            os.mkdir(folder)
            os.chmod(folder, 0o777)
            replies = list(pool.map(lambda _: self.host.ask("-lang=sh " + code.format(folder)), range(4)))
        self.assertEqual(replies, ["met"] * 4)

    def test_answers_eight_clients_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda i: self.host.ask(f"-lang=sh echo {i}"), range(40)))
        self.assertEqual(replies, [str(i) for i in range(40)])

    def test_takes_files_back(self):
        line = {"reply": "json", "lang": "sh", "code": "mkdir out; echo kept > out/a.txt; head -c 300000 /dev/zero > out/b.bin",
                "outputs": ["out/**"]}
        lines = [json.loads(line) for line in self.host.ask(json.dumps(line)).splitlines()]
        files = {line["path"]: line["size"] for line in lines if line["event"] == "file"}
        self.assertEqual(files, {"out/a.txt": 5, "out/b.bin": 300000})


class Vectors(Folder):
    """The same frames as the reference, from an implementation that shares nothing with it."""

    vectors = json.loads((TOP / "tests" / "protocol" / "vectors.json").read_text())

    def test_frames_are_written_and_read_as_the_vectors_say(self):
        for vector in self.vectors["frames"]:
            with self.subTest(vector["name"]):
                want = vector["frame"]
                frame = Frame(want["type"], bytes.fromhex(want["payload"]), want["job"], int(want["nonce"], 16), want["more"])
                self.assertEqual(frame.encode().hex(), vector["bytes"])
                reader = Reader()
                reader.feed(bytes.fromhex(vector["bytes"]))
                self.assertEqual(vars(reader.next()), vars(frame))

    def test_streams_hold_the_frames_that_the_vectors_say(self):
        for vector in self.vectors["streams"]:
            with self.subTest(vector["name"]):
                reader = Reader()
                reader.feed(bytes.fromhex(vector["bytes"]))
                self.assertEqual([frame.payload for frame in reader.frames()], [b"whole"] * vector["frames"])

    def test_the_example_of_the_document_is_right(self):
        text = (TOP / "docs" / "protocol.md").read_text()
        example = text[text.index("## 13."):text.index("## 14.")]
        headers = re.findall(r"fe50564d 01 (..) 0000 (\w{8}) (\w{8}) (\w{16}) (\w{8}) (\w{8})", example)
        self.assertEqual(len(headers), 13)
        for type, job, length, nonce, *sums in headers:
            frame = Frame(int(type, 16), b"", int(job, 16), int(nonce, 16)).encode()
            with_length = frame[:12] + bytes.fromhex(length) + frame[16:24]
            self.assertEqual(f"{zlib.crc32(with_length):08x}", sums[0], (type, job))


if __name__ == "__main__":
    main()
