# SPDX-License-Identifier: MIT
"""Bad input from clients: one clear line or nothing, logged, and nothing else is disturbed."""

import concurrent.futures
import json
import pathlib
import socket
import struct
import time

from pbotvm_testing import HostAndGuest, main, read_all


class BadInput(HostAndGuest):
    settings = {"PBOTVM_TIMEOUT": 5}

    def tearDown(self):
        self.assert_works()

    def test_refuses_a_line_of_two_mebibytes(self):
        self.assertEqual(self.host.ask("-lang=sh " + "x" * (2 << 20)),
                         "Invalid request: the line is longer than 1 MiB; send less, or in pieces.")
        self.host.await_log("longer than 1 MiB")

    def test_takes_a_line_just_below_the_limit(self):
        filler = "#" * ((1 << 20) - 100)
        self.assertEqual(self.host.ask("-lang=sh echo long; " + filler), "long")

    def test_refuses_invalid_utf8(self):
        self.assertEqual(self.host.send(b"-lang=sh echo \xff\xfe"),
                         b"Invalid request: byte 15 is not valid UTF-8; send text as UTF-8.\n")

    def test_refuses_broken_json_and_wrong_types(self):
        for line, part in [('{"code":"x"', "must be a JSON object"), ("{nonsense}", "must be a JSON object"),
                           ('{"code":5}', 'the key "code" must be a string, not a number'),
                           ('{"code":null}', "Usage: cc"), ('{"lang":"sh"}', 'no key "code"'),
                           ('{"code":"x","lang":{}}', 'the key "lang" must be a string'),
                           ('{"code":"x","stdin":[1]}', 'the key "stdin" must be a string')]:
            with self.subTest(line):
                reply = self.host.ask(line)
                self.assertIn(part, reply)
                self.assertNotIn("\n", reply)

    def test_drops_a_client_that_sends_nothing_without_a_byte(self):
        begun = time.monotonic()
        with self.host.connect() as s:
            s.sendall(b"-lang=sh echo no end of the line")
            self.assertEqual(read_all(s), b"")
        self.assertGreater(time.monotonic() - begun, 4)
        self.assertLess(time.monotonic() - begun, 40)
        self.host.await_log("dropped, no whole line within 5 s")

    def test_serves_others_while_a_client_is_silent(self):
        with self.host.connect():
            self.assert_works()

    def test_survives_a_client_that_disconnects_in_the_middle_of_its_job(self):
        with self.host.connect() as s:
            s.sendall(b"-lang=sh sleep 0.5; echo lost\n")
            # Reset instead of an orderly end: what a killed client leaves.
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.assert_works()
        self.host.await_log("gone before its reply was sent")

    def test_answers_a_client_that_has_shut_down_its_sending_half(self):
        with self.host.connect() as s:
            s.sendall(b"-lang=sh echo half\n")
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(s), b"half\n")

    def test_never_lets_a_client_do_what_only_an_operator_may(self):
        for option in ("-revert=1", "-vm-domain=x;id", "-health=5", "-vm-heart=1"):
            with self.subTest(option):
                # An option of nobody's would be the shell's own, for which only some are allowed.
                self.assertIn(f"Option '{option}' is not allowed for language 'sh'", self.host.ask(f"-lang=sh {option} echo x"))

    def test_survives_hostile_json(self):
        self.assertIn("nested too deeply", self.host.ask('{"code":"x","y":' + "[" * 5000 + "]" * 5000 + "}"))
        self.assertIn("number that is too large", self.host.ask('{"code":"x","n":1e999}'))
        self.assertIn("a\\x00b", self.host.ask(json.dumps({"code": "-lang=python3 print('a\\0b')"})))

    def test_repeats_no_control_character_and_little_of_a_name(self):
        self.assertEqual(self.host.ask(json.dumps({"code": "x", "vm": "a\r\nPRIVMSG #c :b\0"})),
                         "Unknown machine 'a\\x0d\\x0aprivmsg #c :b\\x00'; available machines are: main")
        self.assertLess(len(self.host.ask("-lang=" + "x" * 500_000 + " y")), 1000)

    def about_host(self, file):
        return pathlib.Path("/proc", str(self.host.process.pid), file).read_text()

    def memory(self):
        status = self.about_host("status")
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) << 10

    def test_gives_back_the_memory_of_many_large_requests(self):
        if "libasan" in self.about_host("maps"):
            self.skipTest("the address sanitizer keeps what was freed")
        keys = json.dumps({"code": "-lang=nosuch x", **{f"key{i}": i for i in range(60_000)}})
        code = "-lang=sh true #" + "x" * 1_000_000
        before = self.memory()
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            replies = list(pool.map(lambda i: self.host.ask((keys, code)[i % 2]), range(72)))
        self.assertEqual(len({reply.split("\n")[0] for reply in replies}), 2)
        self.assertLess(self.memory() - before, 32 << 20)

    def test_refuses_what_no_guest_would_take_before_anybody_waits_for_it(self):
        for request in ({"code": "-lang=sh true", "arguments": "a\0b"}, {"code": "-lang=sh true", "arguments": "a " * 5000},
                        {"code": "-lang=python3 " + "-u " * 5000 + "x"}):
            with self.subTest(request["code"][:30]):
                reply = self.host.ask(json.dumps(request))
                self.assertTrue(reply.startswith("Invalid request: "), reply[:200])
        self.assertEqual(self.host.machine()["faults"], 0)


if __name__ == "__main__":
    main()
