# SPDX-License-Identifier: MIT
"""Misbehaving code in the real machine: the client is always answered in time, a dirty machine is reverted, the next job
works."""

import json
import time

from pbotvm_machine import VirtualMachine
from pbotvm_testing import main, wait_for

TIMEOUT = 10


class Misbehaving(VirtualMachine):
    settings = {"PBOTVM_TIMEOUT": TIMEOUT, "PBOTVM_QUEUE_TIMEOUT": 120}

    def ask_in_time(self, code):
        self.assert_works()  # a revert after the last one is not this one's time
        begun = time.monotonic()
        reply = self.host.ask(json.dumps({"code": code}))
        took = time.monotonic() - begun
        print(f"{code[:60]!r}: {took:.2f} s")
        self.assertLess(took, TIMEOUT + 20)
        return reply

    def tearDown(self):
        self.assert_works()
        self.assertEqual(self.host.ask("-lang=sh ls -A /tmp /dev/shm"), "/dev/shm:\n\n/tmp:")

    def assert_reverted(self, before):
        wait_for("the revert", lambda: self.reverts() == before + 1)
        self.assert_works()

    def test_endless_loop(self):
        before = self.reverts()
        self.assertEqual(self.ask_in_time("-lang=sh echo begun; while :; do :; done"), "begun\n [Timed-out]")
        self.assert_reverted(before)

    def test_endless_loop_in_c_and_python(self):
        self.assertIn("[Timed-out]", self.ask_in_time("-lang=c11 while(1);"))
        self.assertEqual(self.ask_in_time("-lang=python3 while True: pass"), "[Timed-out]")

    def test_fork_bomb(self):
        reply = self.ask_in_time("-lang=bash :(){ :|:& };: ; sleep 1")
        self.assertIn("fork", reply)
        self.assertRegex(reply, r"\[Timed-out\]\Z|\[Process limit\]\Z")
        self.assertRegex(self.ask_in_time("-lang=python3 import os\nwhile True:\n try: os.fork()\n except OSError: pass"),
                         r"\[Timed-out\]|\[Process limit\]")

    def test_endless_output(self):
        before = self.reverts()
        reply = self.ask_in_time("-lang=sh yes")
        self.assertTrue(reply.startswith("y\ny\n"))
        self.assertTrue(reply.endswith("[Output cut at 262144 bytes]"), reply[-50:])
        self.assert_reverted(before)

    def test_allocation_of_ten_gigabytes(self):
        reply = self.ask_in_time("-lang=python3 print('before', flush=True); x = b'x' * 10_000_000_000; print('af' + 'ter')")
        self.assertTrue(reply.startswith("before") or "MemoryError" in reply, reply)
        self.assertNotIn("after", reply)
        reply = self.ask_in_time("-lang=python3 print('before', flush=True)\nx = []\nwhile True: x.append(bytearray(10_000_000))")
        self.assertIn("before", reply)
        self.assertIn("[Memory limit]", reply)

    def test_killing_everything(self):
        # The job sees nobody but itself, and a process does not kill itself with -1.
        self.assertEqual(self.ask_in_time("-lang=sh echo first; kill -9 -1 2>/dev/null; echo still"), "first\nstill")
        self.assertEqual("Exit 137.", self.ask_in_time("-lang=sh (sleep 0.2; kill -9 -1) & sleep 5"))

    def test_closing_all_descriptors(self):
        self.assertEqual(self.ask_in_time("-lang=python3 import os; print('x', flush=True); os.closerange(0, 4096)"), "x")

    def test_leaving_daemons_behind(self):
        self.assertEqual(self.ask_in_time("-lang=sh (setsid sleep 1000 &) ; (setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' &) ; echo left"),
                         "left")
        console = self.console()  # root's, outside every job's namespaces
        console.type("")
        console.type("pgrep -f 'sleep 100[0]' ; echo looked $?")
        console.expect(rb"looked 1")
        console.close()

    def test_reading_what_is_roots(self):
        self.assertIn("Permission denied", self.ask_in_time("-lang=sh cat /etc/shadow"))

    def test_filling_the_disk(self):
        reply = self.ask_in_time("-lang=sh echo begun; i=0; while head -c 20000000 /dev/zero > f$i; do i=$((i+1)); done; echo full")
        self.assertIn("begun", reply)

    def test_a_late_result_is_never_the_next_clients(self):
        self.assertEqual(self.ask_in_time(f"-lang=sh sleep {TIMEOUT + 2}; echo SECRET"), "[Timed-out]")
        for _ in range(5):
            self.assertEqual(self.host.ask("-lang=sh echo mine"), "mine")


if __name__ == "__main__":
    main()
