# SPDX-License-Identifier: MIT
"""Faults of the machine itself, each made to happen: what the host does about them, and how long that takes."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

from pbotvm_machine import YAML, VirtualMachine
from pbotvm_testing import IMAGE, Folder, Host, main, wait_for


class Mended(VirtualMachine):
    settings = {"PBOTVM_TIMEOUT": 5, "PBOTVM_QUEUE_TIMEOUT": 60}

    def setUp(self):
        self.host.await_state("ready", 120)

    def snapshot(self):
        return pathlib.Path(self.host.state, "machines", "pbot-vm", "snapshot.qcow2")

    def test_boots_a_new_machine_when_the_snapshot_is_damaged_at_a_revert(self):
        qemu = self.qemu_pid()
        os.truncate(self.snapshot(), 65536)
        begun = time.monotonic()
        self.host.control("revert", machine="pbot-vm")
        wait_for("another machine", lambda: self.host.machine()["state"] == "ready" and self.qemu_pid() != qemu, 240)
        print(f"damaged snapshot: a new machine with a new snapshot after {time.monotonic() - begun:.1f} s")
        self.assert_works()
        self.assertTrue(self.host.control("revert", machine="pbot-vm")["ok"])
        self.assert_works()

    def test_starts_the_machine_again_when_its_revert_hangs(self):
        qemu = self.qemu_pid()
        os.kill(qemu, signal.SIGSTOP)
        begun = time.monotonic()
        self.assertFalse(self.host.control("revert", machine="pbot-vm")["ok"])
        wait_for("another QEMU", lambda: self.host.machine()["state"] == "ready" and self.qemu_pid() != qemu, 120)
        print(f"a revert that hangs: mended after {time.monotonic() - begun:.1f} s")
        self.assert_works()

    def test_starts_a_machine_again_whose_kernel_panics(self):
        qemu = self.qemu_pid()
        console = self.console()
        console.type("")
        console.type("echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger")
        console.expect(rb"Kernel panic", 60)
        begun = time.monotonic()
        console.close()
        wait_for("another QEMU", lambda: self.host.machine()["state"] == "ready" and self.qemu_pid() != qemu, 120)
        print(f"kernel panic: noticed and mended after {time.monotonic() - begun:.1f} s")
        self.assert_works()


class ThatDoesNotComeBack(Folder):
    def host(self, qemu, **settings):
        yaml = YAML.replace("accel: tcg", "accel: tcg, binary: " + qemu)
        host = Host(self.folder, {"PBOTVM_IMAGE": IMAGE, **settings}, yaml.format(
            transports="virtio-serial", serial="unix:machines/pbot-vm/serial.sock", heart="unix:machines/pbot-vm/heart.sock"))
        self.addCleanup(host.stop)
        return host.start()

    def qemu_pid(self, host):
        return int(re.search(r"pid (\d+)", host.machine()["hypervisor"]).group(1))

    def test_tells_those_who_wait_and_those_who_come_at_once_until_it_is_back(self):
        qemu = os.path.join(self.folder, "qemu")
        os.symlink(shutil.which("qemu-system-x86_64"), qemu)
        host = self.host(qemu, PBOTVM_QUEUE_TIMEOUT=120, PBOTVM_SLOTS=1, PBOTVM_TIMEOUT=60)
        host.await_state("ready", 240)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            running = pool.submit(host.ask, "-lang=sh echo begun; sleep 50", 120)
            wait_for("the job to run", lambda: host.machine()["running"] == 1)
            waiting = [pool.submit(host.ask, "-lang=sh echo never", 120) for _ in range(2)]
            wait_for("the others to wait", lambda: host.machine()["waiting"] == 2)
            os.rename(qemu, qemu + ".gone")
            os.kill(self.qemu_pid(host), signal.SIGKILL)
            begun = time.monotonic()
            self.assertIn("Virtual machine 'pbot-vm' is unavailable: ", running.result())
            replies = [reply.result() for reply in waiting]
            print(f"QEMU cannot start again: those who wait are told after {time.monotonic() - begun:.1f} s")
        asked = time.monotonic()
        replies.append(host.ask("-lang=sh echo never"))
        print(f"who comes then is told after {time.monotonic() - asked:.2f} s")
        for reply in replies:
            self.assertRegex(reply, r"\AVirtual machine 'pbot-vm' is unavailable: .*qemu")
        self.assertLess(time.monotonic() - begun, 100)  # not the two minutes of the queue
        host.await_log("trying again in 2 s")
        os.rename(qemu + ".gone", qemu)
        host.await_state("ready", 120)
        self.assertEqual(host.ask("-lang=sh echo back"), "back")

    def test_is_started_again_when_its_boot_hangs(self):
        limit = 40
        host = self.host("qemu-system-x86_64", PBOTVM_BOOT_TIMEOUT=limit, PBOTVM_QUEUE_TIMEOUT=300)
        pid = int(re.search(r"booting, .* pid (\d+)", wait_for("QEMU", lambda: re.search("booting, .*", host.log())).group(0)).group(1))
        os.kill(pid, signal.SIGSTOP)
        begun = time.monotonic()
        self.assertRegex(host.ask("-lang=sh echo early", 120), r"unavailable: .*does not answer")
        print(f"a boot that hangs: reported after {time.monotonic() - begun:.1f} s with a boot_timeout of {limit} s")
        host.await_state("ready", 240)
        print(f"and mended after {time.monotonic() - begun:.1f} s")
        self.assertEqual(host.ask("-lang=sh echo works"), "works")


@unittest.skipUnless(os.geteuid() == 0, "mounts a small file system, which takes root")
class FullDisk(Folder):
    def test_says_that_the_disk_is_full_and_turns_clients_away_at_once(self):
        machine = os.path.join(self.folder, "state", "machines", "pbot-vm")
        os.makedirs(machine)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0777", "none", machine], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", machine], check=True)
        host = Host(self.folder, {"PBOTVM_IMAGE": IMAGE, "PBOTVM_QUEUE_TIMEOUT": 60}, YAML.format(
            transports="virtio-serial", serial="unix:machines/pbot-vm/serial.sock", heart="unix:machines/pbot-vm/heart.sock"))
        subprocess.run(["chown", "-R", "pbotvm:pbotvm", host.state], check=True)
        host.start()
        self.addCleanup(host.stop)
        host.await_state("failed", 240)
        self.assertRegex(host.machine()["problem"], "snapshot-save failed: .*; [0-9] MiB are free in machines/pbot-vm")
        begun = time.monotonic()
        reply = host.ask("-lang=sh echo hello")
        self.assertIn("Virtual machine 'pbot-vm' is unavailable: ", reply)
        self.assertIn("MiB are free", reply)
        self.assertLess(time.monotonic() - begun, 50)  # not the minute of the queue
        host.await_log("trying again in")


if __name__ == "__main__":
    main()
