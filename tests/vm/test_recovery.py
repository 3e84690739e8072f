# SPDX-License-Identifier: MIT
"""What the host mends by itself."""

import concurrent.futures
import os
import signal
import time

from pbotvm_machine import VirtualMachine, alive
from pbotvm_testing import main, wait_for


class Recovery(VirtualMachine):
    settings = {"PBOTVM_TIMEOUT": 5, "PBOTVM_QUEUE_TIMEOUT": 60}

    def setUp(self):
        self.host.await_state("ready")  # a fault of the test before may still have the machine reverted

    def test_notices_a_killed_guest_program_by_its_heartbeat_and_reverts(self):
        before = self.reverts()
        console = self.console()
        console.type("")
        console.type("pkill -9 -x pbotvm-guest; echo killed $?")
        console.expect(rb"killed 0")
        console.close()
        begun = time.monotonic()
        wait_for("the revert", lambda: self.reverts() == before + 1, 120)
        print(f"killed guest program noticed and mended after {time.monotonic() - begun:.1f} s")
        self.assert_works()
        self.assertIn("no heartbeat for", self.host.log())

    def test_starts_the_machine_again_when_qemu_is_killed(self):
        qemu = self.qemu_pid()
        begun = time.monotonic()
        os.kill(qemu, signal.SIGKILL)
        reply = self.host.ask("-lang=sh echo works")
        if reply != "works":  # it came before the host knew, and went with the machine
            self.assertIn("Virtual machine 'pbot-vm' is unavailable: ", reply)
            self.assert_works()  # whoever comes then waits a moment
        print(f"killed QEMU: a client has its reply after {time.monotonic() - begun:.1f} s")
        wait_for("another QEMU", lambda: self.host.machine()["state"] == "ready" and self.qemu_pid() != qemu, 120)
        self.assert_works()

    def test_reverts_when_the_operator_asks(self):
        before = self.reverts()
        answer = self.host.control("revert", machine="pbot-vm")
        self.assertEqual((answer["ok"], answer["state"]), (True, "ready"), answer)
        print(f"revert to ready: {answer['seconds']:.3f} s")
        self.assertEqual(self.reverts(), before + 1)
        self.assert_works()

    def test_reports_the_guests_figures(self):
        health = self.host.control("health", machine="pbot-vm")
        self.assertTrue(health["ok"], health)
        self.assertIn("uptime", health["figures"])

    def test_keeps_one_clients_reply_when_another_ones_job_is_a_fault(self):
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            bad = [pool.submit(self.host.ask, "-lang=sh while :; do :; done") for _ in range(2)]
            good = [pool.submit(self.host.ask, f"-lang=sh echo {n}") for n in range(4)]
            self.assertEqual([f.result() for f in good], [str(n) for n in range(4)])
            self.assertEqual([f.result() for f in bad], ["[Timed-out]"] * 2)

    def test_zz_leaves_no_qemu_behind_when_it_is_killed_itself(self):
        qemu = self.qemu_pid()
        self.host.process.kill()
        self.host.process.wait()
        wait_for("QEMU to be gone", lambda: not alive(qemu), 60)
        self.host.start()
        self.host.await_state("ready")
        self.assert_works()


class RevertingTurnedOff(VirtualMachine):
    settings = {"PBOTVM_TIMEOUT": 8, "PBOTVM_NOREVERT": "1"}

    def test_keeps_the_machine_as_it_is_after_a_fault(self):
        uptime = float(self.host.ask("-lang=sh cut -d' ' -f1 /proc/uptime"))
        self.assertEqual(self.host.ask("-lang=sh while :; do :; done"), "[Timed-out]")
        self.assertGreater(float(self.host.ask("-lang=sh cut -d' ' -f1 /proc/uptime")), uptime + 1.5)
        self.assertEqual(self.reverts(), 0)


if __name__ == "__main__":
    main()
