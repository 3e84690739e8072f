# SPDX-License-Identifier: MIT
"""What goes wrong with a machine of plain QEMU under a running host, and how soon it serves again."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import time
import unittest

from pbotvm_machine import VirtualMachine
from pbotvm_testing import IMAGE, Folder, Host, main, program, wait_for

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


class NamedSnapshots(VirtualMachine):
    """By the operator's command, of a machine that a host runs."""

    def snapshot(self, *words):
        ended = subprocess.run([program("pbotvm"), "snapshot", *words], env=self.host.environment, capture_output=True,
                               text=True, stdin=subprocess.DEVNULL, timeout=120)
        return ended.returncode, ended.stdout + ended.stderr

    def done(self, *words):
        status, said = self.snapshot(*words)
        self.assertEqual(status, 0, said)
        return said

    def refused(self, words, pattern):
        status, said = self.snapshot(*words)
        self.assertNotEqual(status, 0, said)
        self.assertRegex(said, pattern)
        self.assert_works()

    def names(self):
        return [line.split()[0] for line in self.done("list", "pbot-vm").splitlines()]

    def in_guest(self, line):
        with contextlib.closing(self.console()) as console:
            return console.run(line)

    def test_are_taken_gone_back_to_and_removed_under_a_running_host(self):
        qemu = self.qemu_pid()
        for name in ("early", "late"):  # whatever fails: the other test counts on little room
            self.addCleanup(self.snapshot, "delete", name)
        self.in_guest("mkdir /run/early")
        self.done("create", "early", "pbot-vm")
        self.in_guest("mkdir /run/late")
        self.done("create", "late")
        self.assertEqual(self.names(), ["1", "early", "late"])
        self.refused(["create", "early"], "has a snapshot 'early' already; remove it first")
        self.refused(["revert", "nothing"], "no snapshot 'nothing'; it has: 1, early, late")
        self.refused(["delete", "nothing"], "no snapshot 'nothing'; it has: 1, early, late")
        for bad in ("../early", ".early", "a" * 65, "a b"):
            self.refused(["create", bad], "letters, digits")
        self.done("revert", "early")
        self.assertIn("late-1-early-0", self.in_guest("test -e /run/late; echo -n late-$?-; test -e /run/early; echo early-$?"))
        self.assert_works()
        self.done("revert", "late")
        self.assertIn("late-0", self.in_guest("test -e /run/late; echo late-$?"))
        self.done("delete", "early")
        self.done("revert", "1")
        self.assertIn("late-1", self.in_guest("test -e /run/late; echo late-$?"))
        self.done("delete", "late")
        self.assertEqual(self.names(), ["1"])
        self.assertEqual(self.qemu_pid(), qemu)
        self.assert_works()

    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system, which takes root")
    def test_for_which_there_is_no_room_cost_nothing(self):
        self.host.stop()
        folder = os.path.join(self.host.state, "machines", "pbot-vm")
        kept = os.path.join(self.folder, "kept")
        shutil.move(folder, kept)
        os.makedirs(folder)
        room = sum(file.stat().st_size for file in pathlib.Path(kept).iterdir()) // 1024 // 1024 + 40
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}m,mode=0777", "none", folder], check=True)
        self.addClassCleanup(subprocess.run, ["umount", "-l", folder], check=True)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        subprocess.run(["chown", "-R", "pbotvm:pbotvm", folder], check=True)
        self.host.start().await_state("ready")
        qemu = self.qemu_pid()
        self.refused(["create", "big"], r"snapshot-save failed: .*; \d+ MiB are free in machines/pbot-vm; a snapshot takes")
        self.assertEqual(self.names(), ["1"])
        self.assertEqual([name for name in os.listdir(folder) if "big" in name], [])
        self.done("revert", "1")
        self.assert_works()
        subprocess.run(["mount", "-o", "remount,size=1g", folder], check=True)
        self.done("create", "big")
        self.done("revert", "big")
        self.assertEqual(self.names(), ["1", "big"])
        self.assertEqual(self.qemu_pid(), qemu)
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
