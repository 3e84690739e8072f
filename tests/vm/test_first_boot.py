# SPDX-License-Identifier: MIT
"""A machine's first start: boot, heartbeat, tools warmed up, snapshot. Leaves the snapshot to the other machine tests."""

import os
import pathlib
import re
import shutil
import time

from pbotvm_machine import TEMPLATE, VirtualMachine, alive
from pbotvm_testing import main, wait_for


class FirstBoot(VirtualMachine):
    from_snapshot = False

    def test_1_boots_warms_up_and_takes_its_snapshot(self):
        log = self.host.log()
        self.assertRegex(log, r"booting after")
        self.assertRegex(log, r"snapshot taken in")
        answered = float(re.search(r"answers over virtio-serial after ([\d.]+) s", log).group(1))
        print(f"power-on to the guest's first answer: {answered} s")
        self.assertLess(answered, 90)
        self.assert_works()

    def test_2_has_a_heartbeat(self):
        wait_for("a heartbeat", lambda: (self.host.machine()["heartbeat_age_s"] or 99) < 6, 60)

    def test_3_gives_the_operator_a_root_console(self):
        console = self.console()
        console.type("")
        console.type("echo I am $(id -un)")
        console.expect(rb"I am root")
        console.close()

    def test_4_starts_from_its_snapshot_the_second_time_and_answers_soon(self):
        qemu = self.qemu_pid()
        booted = float(re.search(r"answers over virtio-serial after ([\d.]+) s", self.host.log()).group(1))
        self.assertEqual(self.host.stop(), 0)
        wait_for("QEMU to be gone", lambda: not alive(qemu), 30)
        machine = pathlib.Path(self.host.state, "machines", "pbot-vm")
        self.assertEqual([p.name for p in machine.iterdir() if p.is_socket()], [])
        shutil.rmtree(TEMPLATE, ignore_errors=True)
        TEMPLATE.mkdir(parents=True)
        for file in machine.iterdir():
            if file.name.startswith("snapshot"):
                shutil.copy2(file, TEMPLATE)
        begun = time.monotonic()
        self.host.start()
        self.host.await_state("ready")
        self.assert_works()
        took = time.monotonic() - begun
        print(f"host start to first answer from the snapshot: {took:.2f} s, of the boot: {booted} s")
        self.assertLess(took, booted)
        self.assertRegex(self.host.log(), r"runs from its snapshot after")

    def test_5_runs_qemu_unprivileged_and_without_a_network_card(self):
        qemu = self.qemu_pid()
        arguments = pathlib.Path(f"/proc/{qemu}/cmdline").read_text().split("\0")
        self.assertIn("on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", arguments)
        if os.geteuid() == 0:
            status = pathlib.Path(f"/proc/{qemu}/status").read_text()
            self.assertNotRegex(status, r"(?m)^Uid:\s.*\b0\b")
        console = self.console()
        console.type("echo cards: $(ls /sys/class/net) end")
        console.expect(rb"\ncards: lo end")
        console.close()


if __name__ == "__main__":
    main()
