# SPDX-License-Identifier: MIT
"""What goes wrong with a machine of plain QEMU under a running host, and how soon it serves again."""

import os
import pathlib
import shutil
import subprocess
import time
import unittest

from pbotvm_machine import VirtualMachine
from pbotvm_testing import IMAGE, Folder, Host, main, wait_for

TWO_MACHINES = """\
machines:
  one:
    hypervisor: {{plugin: qemu, accel: tcg, disks: [{{file: {disk}}}]}}
    serial: 0
    heart: 0
    cid: 0
    transports: [virtio-serial]
  two:
    hypervisor:
      plugin: qemu
      accel: tcg
      disks:
        - {{file: {disk}}}
    serial: 0
    heart: 0
    cid: 0
    transports: [virtio-serial]
default_machine: one
"""


class Faults(VirtualMachine):
    settings = {"PBOTVM_QUEUE_TIMEOUT": 60}

    def setUp(self):
        self.host.await_state("ready")

    def await_another(self, qemu):
        wait_for("another QEMU", lambda: self.host.machine()["state"] == "ready" and self.qemu_pid() != qemu, 60)

    def test_panic_of_the_guest_is_reported_and_the_machine_restored(self):
        qemu = self.qemu_pid()
        console = self.console()
        console.run("true")
        begun = time.monotonic()
        console.type("echo c >/proc/sysrq-trigger")
        console.socket.settimeout(60)
        try:
            while console.socket.recv(4096):  # a guest whose console nobody reads is held up by its own last words
                pass
        except ConnectionError:
            pass
        console.close()
        self.await_another(qemu)
        print(f"panic mended after at most {time.monotonic() - begun:.1f} s")
        self.assertIn("GUEST_PANICKED", self.host.log())
        self.assert_works()

    def test_snapshot_that_somebody_removed_is_made_anew_once_it_is_missed(self):
        folder = pathlib.Path(self.host.state, "machines", "pbot-vm")
        (folder / "snapshot.qcow2").unlink()
        self.assertTrue(self.host.control("revert", machine="pbot-vm")["ok"])  # QEMU has it open
        self.assert_works()
        qemu = self.qemu_pid()
        os.kill(qemu, 9)
        begun = time.monotonic()
        wait_for("a new snapshot", lambda: (folder / "snapshot.stamp").exists() and (folder / "snapshot.qcow2").exists(), 240)
        self.host.await_state("ready", 60)
        print(f"killed without a snapshot: booted, warm and saved after {time.monotonic() - begun:.1f} s")
        self.assertNotEqual(self.qemu_pid(), qemu)
        self.assert_works()


class OneDiskForTwo(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if shutil.which("qemu-img") is None:
            raise unittest.SkipTest("there is no qemu-img")

    def test_is_a_mistake_that_stops_the_start(self):
        disk = os.path.join(self.folder, "disk.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True)
        host = Host(self.folder, {"PBOTVM_IMAGE": IMAGE}, TWO_MACHINES.format(disk=disk)).start()
        self.assertEqual(host.process.wait(30), 78)
        self.assertRegex(host.log(), r"pbotvm\.yaml:13:\d+: error: disk .*disk\.qcow2 of machine 'two' is a disk of machine 'one'")


if __name__ == "__main__":
    main()
