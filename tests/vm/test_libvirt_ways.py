# SPDX-License-Identifier: MIT
"""Ways to a domain of a real libvirt: devices that are added to it, a user's own daemon, a daemon behind ssh; and a disk
without space."""

import os
import pathlib
import re
import shutil
import subprocess
import time
import unittest

from pbotvm_libvirt import Session, Shared, domain_state, make_host, pbotvm, prepare
from pbotvm_machine import Console
from pbotvm_testing import Folder, free_port, main, wait_for

SSH = ("dropbear", "dropbearkey", "ssh", "ssh-keygen", "virt-ssh-helper")


def setUpModule():
    prepare(devices="", disk_mount="1g", disk_size="64M")
    # A Unix socket that is plugged in belongs to QEMU's user alone: libvirt gives it away, whatever its folder's group is.
    Shared.places["virtio"] = str(free_port())
    add_devices_and_take_the_snapshot()


def console():
    opened = Console(os.path.join(Shared.places["lines"], "console.sock"))
    opened.type("")
    opened.expect(rb"# $", 240)
    opened.run("stty -echo; PS1=", 60)
    return opened


def new_folder(name):
    folder = os.path.join(Shared.folder, name)
    os.mkdir(folder)
    os.chmod(folder, 0o755)
    return folder


class Added:
    """What pbotvm printed when it added them."""

    to_the_definition = to_the_running = again = ""


def add_devices_and_take_the_snapshot():
    """A domain without lines gets its serial lines while it is shut off, the virtio-serial port while it runs."""
    host = make_host(new_folder("first"))
    Added.to_the_definition = pbotvm(host, "devices", "add-serials")
    Shared.libvirt.virsh("start", Shared.name)
    shell = console()
    Added.to_the_running = pbotvm(host, "devices", "add-virtio-serial")
    Added.again = pbotvm(host, "devices", "add-virtio-serial")
    shell.run("cat /proc/$(pgrep -x pbotvm-guest)/cmdline | tr '\\0' ' ' > /run/guest")
    shell.run("kill $(pgrep -x pbotvm-guest)")
    shell.run("setsid $(cat /run/guest) </dev/null >/dev/kmsg 2>&1 &")
    shell.close()
    host.start()
    try:
        host.await_state("ready", 240)
        Added.transport = host.machine()["transport"]
        Added.reply = host.ask("-lang=sh echo works")
        wait_for("the snapshot", lambda: "1" in Shared.libvirt.virsh("snapshot-list", Shared.name, "--name").stdout.split(), 120)
    finally:
        host.stop()


class Served(Folder):
    def serve(self, environment=None, **changes):
        self.host = make_host(new_folder(self.id().rsplit(".", 1)[1]), environment, **changes)
        self.addCleanup(self.host.stop)
        begun = time.monotonic()
        self.host.start().await_state("ready", 240)
        self.assertIn("runs from its snapshot", self.host.log())
        self.assertEqual(self.host.ask("-lang=sh echo works"), "works")
        print(f"host start to the first answered job: {time.monotonic() - begun:.1f} s")

    def assert_reverts(self):
        reply = self.host.ask("-lang=sh echo before; while :; do :; done")
        self.assertRegex(reply, r"^before\n *\[Timed-out\]$")
        wait_for("the revert", lambda: self.host.machine()["reverts"] == 1, 120)
        self.host.await_state("ready", 120)
        self.assertEqual(self.host.ask("-lang=sh echo works"), "works")


class Devices(unittest.TestCase):
    def test_are_added_to_the_definition_and_to_a_domain_that_runs(self):
        self.assertIn("It is there from the next start on", Added.to_the_definition)
        self.assertIn("to the domain that runs", Added.to_the_running)
        self.assertIn("restart pbotvm-guest", Added.to_the_running)
        self.assertRegex(Added.again, "^[^\n]*has the virtio-serial[^\n]* already\n$")
        definition = Shared.libvirt.virsh("dumpxml", "--inactive", Shared.name).stdout
        self.assertEqual(definition.count("pbotvm.data"), 1)

    def test_serve_a_job_when_they_were_added_to_a_domain_that_runs(self):
        self.assertEqual(Added.transport, "virtio-serial")
        self.assertEqual(Added.reply, "works")


class OverSsh(Served):
    def key(self, folder):
        key = os.path.join(folder, "key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        shutil.chown(key, "pbotvm", "pbotvm")
        return key

    def start_server(self, folder, key):
        """An ssh server that logs root in where the daemon runs."""
        home = os.path.join(Shared.libvirt.home, ".ssh")
        os.makedirs(home, 0o700)
        shutil.copy(key + ".pub", os.path.join(home, "authorized_keys"))
        os.chmod(os.path.join(home, "authorized_keys"), 0o600)
        port = free_port()
        subprocess.run(["dropbearkey", "-t", "ed25519", "-f", os.path.join(folder, "hostkey")], check=True, capture_output=True)
        with open(os.path.join(folder, "dropbear.log"), "wb") as log:
            server = subprocess.Popen(
                Shared.libvirt.inside("dropbear", "-F", "-E", "-s", "-p", f"127.0.0.1:{port}", "-r", os.path.join(folder, "hostkey"),
                                      "-P", os.path.join(folder, "dropbear.pid")), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        return port

    @unittest.skipUnless(all(map(shutil.which, SSH)), "not installed: dropbear-bin and openssh-client")
    def test_a_daemon_serves_the_machine(self):
        folder = new_folder("ssh")
        key = self.key(folder)
        port = self.start_server(folder, key)
        self.serve(uri=f"qemu+ssh://root@127.0.0.1:{port}/system?keyfile={key}&no_verify=1&no_tty=1")
        self.assert_reverts()
        self.assertIn("qemu+ssh://", self.host.machine()["hypervisor"])


class OfASession(Served):
    def test_a_domain_runs_jobs_and_reverts(self):
        folder = new_folder("session")
        session = Session(folder)
        self.addCleanup(session.stop)
        session.start()
        disk = os.path.join(folder, "snapshots.qcow2")
        shutil.copy(Shared.places["disk"], disk)
        shutil.chown(disk, session.user)
        for file in pathlib.Path(Shared.places["lines"]).glob("*.sock"):
            file.unlink()
        definition = Shared.libvirt.virsh("dumpxml", "--inactive", Shared.name).stdout
        snapshot = Shared.libvirt.virsh("snapshot-dumpxml", Shared.name, "1").stdout
        for name, text in (("domain.xml", definition), ("snapshot.xml", snapshot)):
            session.write(name, re.sub(r"(?s)<seclabel.*?(</seclabel>|/>)", "", text.replace(Shared.places["disk"], disk)))
        session.virsh("define", os.path.join(folder, "domain.xml"))
        session.virsh("snapshot-create", Shared.name, os.path.join(folder, "snapshot.xml"), "--redefine", "--current")
        self.serve(session.variables(), uri="qemu:///session")
        self.assert_reverts()
        self.assertEqual(os.stat(f"/proc/{session.qemu_pid(Shared.name)}").st_uid, os.stat(folder).st_uid)


class WithoutSpace(Served):
    def test_a_disk_pauses_the_domain_and_the_host_says_so_and_reverts(self):
        self.serve()
        disks = os.path.dirname(Shared.places["disk"])
        free = os.statvfs(disks)
        fill = os.path.join(disks, "fill")
        with open(fill, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, (free.f_bavail - 64) * free.f_frsize)
        self.addCleanup(os.unlink, fill)
        shell = Console(os.path.join(Shared.places["lines"], "console.sock"))
        shell.type("dd if=/dev/urandom of=/dev/vdb bs=1M count=32 oflag=direct")
        begun = time.monotonic()
        self.host.await_log("no space left for", 120)
        print(f"disk full: noticed after {time.monotonic() - begun:.1f} s")
        shell.close()
        self.assertIn("the domain paused: a disk failed: no space left for " + Shared.places["disk"], self.host.log())
        self.host.await_state("ready", 240)
        wait_for("the domain to run", lambda: domain_state() == "running", 60)
        self.assertEqual(self.host.ask("-lang=sh echo works"), "works")
        print(f"ready after {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    main()
