# SPDX-License-Identifier: MIT
"""Jobs that misbehave, as far as that may be tried outside a machine: the client is answered in time, with what was
printed until then and why it ended, and the next job works."""

import pathlib
import time

from pbotvm_testing import HostAndGuest, main

TIMEOUT = 2


def read(path):
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


class Misbehaving(HostAndGuest):
    settings = {"PBOTVM_TIMEOUT": TIMEOUT, "PBOTVM_OUTPUT_LIMIT": "65536"}

    def ask_in_time(self, line):
        begun = time.monotonic()
        reply = self.host.ask(line)
        self.assertLess(time.monotonic() - begun, TIMEOUT + 20)
        return reply

    def tearDown(self):
        self.assert_works()

    def test_ends_an_endless_loop_and_keeps_what_was_printed(self):
        self.assertEqual(self.ask_in_time("-lang=sh echo begun; while :; do :; done"), "begun\n [Timed-out]")

    def test_ends_a_sleep_and_never_gives_its_late_output_to_the_next_client(self):
        self.assertEqual(self.ask_in_time(f"-lang=sh sleep {TIMEOUT + 2}; echo SECRET"), "[Timed-out]")
        end = time.monotonic() + 3
        while time.monotonic() < end:
            self.assertEqual(self.host.ask("-lang=sh echo mine"), "mine")

    def test_cuts_endless_output(self):
        reply = self.ask_in_time("-lang=sh yes")
        self.assertTrue(reply.startswith("y\ny\n"))
        self.assertTrue(reply.endswith("[Output cut at 65536 bytes]"), reply[-60:])
        self.assertGreaterEqual(len(reply), 65536)

    def test_survives_a_job_that_closes_all_its_descriptors(self):
        reply = self.ask_in_time("-lang=python3 import os, time; print('x', flush=True); os.closerange(0, 256); time.sleep(0.2)")
        self.assertEqual(reply, "x")

    def test_ends_what_a_job_leaves_behind(self):
        self.assertEqual(self.ask_in_time("-lang=sh (setsid sleep 77.125 >/dev/null 2>&1 &); setsid sleep 77.125 & echo left"),
                         "left")
        # The reply does not wait for their end; left to themselves they would stay for 77 s.
        end = time.monotonic() + 40
        while left := [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if b"77.125" in read(p)]:
            self.assertLess(time.monotonic(), end, f"still there: {left}")
            time.sleep(0.02)

    def test_survives_a_job_that_signals_everything_it_can(self):
        reply = self.ask_in_time("-lang=sh trap '' TERM; kill -TERM -1; echo alive")
        self.assertIn("alive", reply)


if __name__ == "__main__":
    main()
