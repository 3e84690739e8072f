# SPDX-License-Identifier: MIT
"""A machine that is a domain of a real libvirt: daemon, domain and sockets of the test's own."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from pbotvm_machine import alive
from pbotvm_testing import IMAGE, Folder, Host, free_port, main, wait_for

PROGRAMS = ("libvirtd", "virsh", "unshare", "qemu-img")

# What the daemon sees in the place of the system's own: it neither uses nor disturbs another libvirtd.
PRIVATE = {"etc": "/etc/libvirt", "run": "/run/libvirt", "lib": "/var/lib/libvirt", "cache": "/var/cache/libvirt",
           "log": "/var/log/libvirt"}

LIBVIRTD_CONF = """\
unix_sock_dir = "/run/libvirt"
unix_sock_rw_perms = "0777"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "2:file:{folder}/libvirtd.log"
"""

QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
stdio_handler = "file"
"""

DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>512</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{image}/vmlinuz</kernel>
    <initrd>{image}/initrd</initrd>
    <cmdline>console=ttyS0 loglevel=3 panic=-1 nowatchdog norandmaps</cmdline>
  </os>
  <cpu mode='custom'><model>qemu64</model></cpu>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='{image}/rootfs.squashfs'/><target dev='vda' bus='virtio'/><readonly/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='{folder}/snapshots.qcow2'/><target dev='vdb' bus='virtio'/>
    </disk>
    <serial type='unix'>
      <source mode='bind' path='{lines}/console.sock'/><target type='isa-serial' port='0'/>
    </serial>
    <serial type='tcp'>
      <source mode='bind' host='127.0.0.1' service='{serial}'/><protocol type='raw'/><target type='isa-serial' port='2'/>
    </serial>
    <serial type='tcp'>
      <source mode='bind' host='127.0.0.1' service='{heart}'/><protocol type='raw'/><target type='isa-serial' port='3'/>
    </serial>
    <channel type='unix'>
      <source mode='bind' path='{lines}/data.sock'/><target type='virtio' name='pbotvm.data'/>
    </channel>
    <rng model='virtio'><backend model='builtin'/></rng>
    <memballoon model='none'/>
    <panic model='isa'/>
  </devices>
</domain>
"""

YAML = """\
default_machine: main
machines:
  main:
    domain: {name}
    hypervisor: {{plugin: libvirt, uri: "{uri}", fast_revert: {fast}}}
    transports: [virtio-serial, serial]
    cid: 0
    serial: {serial}
    heart: {heart}
    virtio_serial: "unix:{lines}/data.sock"
"""


def why_not():
    if os.geteuid() != 0:
        return "a libvirtd of the test's own, in a mount namespace, is for root"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


class Libvirt:
    """libvirtd in a mount namespace of its own, where its directories are folders of the test's. No systemd."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        for name, place in PRIVATE.items():
            os.makedirs(os.path.join(folder, name))
            os.makedirs(place, exist_ok=True)
        self.write("libvirtd.conf", LIBVIRTD_CONF.format(folder=folder))
        self.write("etc/qemu.conf", QEMU_CONF)
        # The daemon demands the user that its package makes, though no QEMU runs as that one here.
        for name, line in (("passwd", "libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin\n"), ("group", "libvirt-qemu:x:64055:\n")):
            text = pathlib.Path("/etc", name).read_text()
            self.write(name, text if "\nlibvirt-qemu:" in text else text.rstrip("\n") + "\n" + line)
        binds = [(os.path.join(folder, name), place) for name, place in PRIVATE.items()]
        binds += [(os.path.join(folder, name), "/etc/" + name) for name in ("passwd", "group")]
        self.write("enter", "set -e\n" + "".join(f"mount --bind '{own}' {place}\n" for own, place in binds) + 'exec "$@"\n')
        self.socket = os.path.join(folder, "run", "libvirt-sock")
        self.uri = "qemu+unix:///system?socket=" + self.socket

    def write(self, name, text):
        pathlib.Path(self.folder, name).write_text(text)

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        with open(os.path.join(self.folder, "libvirtd.out"), "ab") as out:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", os.path.join(self.folder, "enter"),
                 "libvirtd", "-f", os.path.join(self.folder, "libvirtd.conf"), "-p", os.path.join(self.folder, "libvirtd.pid")],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        wait_for("libvirtd's socket", lambda: os.path.exists(self.socket) or self.process.poll() is not None)
        wait_for("libvirtd", lambda: self.process.poll() is not None or self.virsh("uri", check=False).returncode == 0, 60)
        if self.process.poll() is not None:
            raise RuntimeError("libvirtd: " + pathlib.Path(self.folder, "libvirtd.log").read_text()[-2000:])
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def virsh(self, *arguments, check=True):
        return subprocess.run(["virsh", "-q", "-c", self.uri, *arguments], check=check, capture_output=True, text=True, timeout=120)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        # A domain outlives its daemon.
        for file in pathlib.Path(self.folder, "run", "qemu").glob("*.pid"):
            if file.name == "driver.pid":
                continue
            with contextlib.suppress(ValueError, ProcessLookupError):
                os.kill(int(file.read_text()), signal.SIGKILL)


class Shared:
    """The one daemon and the one domain of this file."""

    libvirt = None
    name = f"pbotvm-test-{os.getpid()}"
    places = {}


def setUpModule():
    if why_not():
        raise unittest.SkipTest(why_not())
    folder = tempfile.mkdtemp(prefix="pbotvm-")
    unittest.addModuleCleanup(shutil.rmtree, folder, True)
    os.chmod(folder, 0o755)
    lines = os.path.join(folder, "lines")
    os.makedirs(lines)
    shutil.chown(lines, "root", "pbotvm")
    os.chmod(lines, 0o2775)  # sockets in it belong to the group of the host's user
    Shared.libvirt = Libvirt(folder)
    unittest.addModuleCleanup(Shared.libvirt.stop)
    Shared.libvirt.start()
    Shared.places = {"name": Shared.name, "folder": folder, "lines": lines, "image": IMAGE.resolve(), "serial": free_port(),
                     "heart": free_port(), "uri": Shared.libvirt.uri, "fast": "false"}
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", os.path.join(folder, "snapshots.qcow2"), "1M"], check=True)
    Shared.libvirt.write("domain.xml", DOMAIN.format(**Shared.places))
    Shared.libvirt.virsh("define", os.path.join(folder, "domain.xml"))


def make_host(folder, **changes):
    return Host(folder, {"PBOTVM_TIMEOUT": 5, "PBOTVM_QUEUE_TIMEOUT": 60}, YAML.format(**{**Shared.places, **changes}))


def domain_state():
    return Shared.libvirt.virsh("domstate", Shared.name).stdout.strip()


class Refusals(Folder):
    """What the host says when it cannot do as it should. No machine gets as far as its guest."""

    def run_host_with(self, **changes):
        folder = os.path.join(self.folder, self.id().rsplit(".", 1)[1])
        os.mkdir(folder)
        self.host = make_host(folder, **changes)
        self.addCleanup(self.host.stop)
        self.host.start()

    def line_with(self, text):
        self.host.await_log(text)
        return next(line for line in self.host.log().splitlines() if text in line)

    def test_says_which_devices_the_domain_does_not_have(self):
        # The line of another port is not this domain's.
        self.run_host_with(heart=free_port())
        line = self.line_with("has no serial port 3 on")
        self.assertIn(f"domain '{Shared.name}'", line)
        self.assertIn("pbotvm devices add-serials", line)
        self.assertNotIn("serial port 2", line)

    def test_says_which_domains_there_are_when_its_own_is_not_among_them(self):
        self.run_host_with(name="nobody")
        line = self.line_with("libvirt error 42")
        self.assertIn("there are: " + Shared.name, line)

    def test_says_what_to_do_when_there_is_no_daemon(self):
        self.run_host_with(uri="qemu+unix:///system?socket=/nonexistent/libvirt-sock")
        line = self.line_with("libvirt error 38")
        self.assertIn("systemctl start libvirtd", line)

    def test_says_which_group_opens_the_daemons_socket(self):
        os.chmod(Shared.libvirt.socket, 0o700)
        try:
            self.run_host_with()
            line = self.line_with("libvirt error 38")
            self.assertIn("usermod -aG libvirt", line)
        finally:
            os.chmod(Shared.libvirt.socket, 0o777)


class Reverting(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.libvirt = Shared.libvirt
        cls.name = Shared.name
        cls.host = make_host(cls.folder).start()
        cls.addClassCleanup(cls.host.stop)
        begun = time.monotonic()
        cls.host.await_state("ready", 240)
        print(f"\nhost start with a boot of the domain to ready: {time.monotonic() - begun:.1f} s")

    def setUp(self):
        self.host.await_state("ready", 120)

    def qemu_pid(self):
        try:
            return int(pathlib.Path(self.libvirt.folder, "run", "qemu", self.name + ".pid").read_text())
        except (FileNotFoundError, ValueError):
            return 0  # one takes another's place right now

    def reverts(self):
        return self.host.machine()["reverts"]

    def assert_works(self):
        self.assertEqual(self.host.ask("-lang=sh echo works"), "works")

    def assert_survives_a_time_out(self):
        self.assert_works()
        before = self.reverts()
        self.assertRegex(self.host.ask("-lang=sh echo before; while :; do :; done"), r"^before\n *\[Timed-out\]$")
        wait_for("the revert", lambda: self.reverts() == before + 1)
        self.host.await_state("ready")
        self.assert_works()

    def seconds_of_reverts(self):
        return [float(s) for s in re.findall(r"reverted in ([0-9.]+) s", self.host.log())]

    def test_runs_jobs_and_reverts_after_a_time_out(self):
        qemu = self.qemu_pid()
        self.assert_survives_a_time_out()
        self.assertNotEqual(self.qemu_pid(), qemu, "libvirt's own revert starts another QEMU")
        print(f"reverted in {self.seconds_of_reverts()[-1]} s")

    def test_reverts_about_as_fast_as_virsh_does(self):
        self.host.control("revert", machine="main")
        ours = self.seconds_of_reverts()[-1]
        begun = time.monotonic()
        self.libvirt.virsh("snapshot-revert", self.name, "1", "--running")
        theirs = time.monotonic() - begun
        print(f"revert: {ours:.2f} s, virsh snapshot-revert: {theirs:.2f} s, ratio {ours / theirs:.2f}")
        self.host.await_state("ready")
        self.assertLess(ours, 3 * theirs + 1)

    def test_took_the_snapshot_that_libvirt_lists(self):
        self.assertEqual(self.libvirt.virsh("snapshot-list", self.name, "--name").stdout.split(), ["1"])
        self.assertIn("<state>running</state>", self.libvirt.virsh("snapshot-dumpxml", self.name, "1").stdout)

    def test_brings_back_a_domain_that_somebody_destroyed(self):
        before = self.qemu_pid()
        self.libvirt.virsh("destroy", self.name)
        self.host.await_log("somebody destroyed it")
        wait_for("the domain to run again", lambda: domain_state() == "running" and self.qemu_pid() not in (0, before), 60)
        self.host.await_state("ready")
        self.assert_works()

    def test_goes_on_when_libvirtd_was_killed_and_came_back(self):
        qemu = self.qemu_pid()
        self.libvirt.kill()
        self.host.await_log("the daemon is gone")
        self.assert_works()  # the domain needs no daemon
        self.assertTrue(alive(qemu))
        self.libvirt.start()
        begun = time.monotonic()
        self.host.await_log("connected again")
        print(f"connected again {time.monotonic() - begun:.1f} s after the daemon answered")
        self.assertEqual(self.qemu_pid(), qemu)
        self.assertTrue(self.host.control("revert", machine="main")["ok"])
        self.assert_works()

    def test_gives_a_revert_up_that_hangs_and_mends_the_machine_when_it_can(self):
        os.kill(self.libvirt.process.pid, signal.SIGSTOP)
        begun = time.monotonic()
        try:
            answer = self.host.control("revert", machine="main")
            told = time.monotonic() - begun
        finally:
            os.kill(self.libvirt.process.pid, signal.SIGCONT)
        self.assertFalse(answer["ok"], answer)
        before = self.qemu_pid()
        wait_for("the machine to be started anew", lambda: self.qemu_pid() not in (0, before) and self.host.machine()["state"] == "ready", 90)
        print(f"daemon stopped: revert given up after {told:.1f} s, ready {time.monotonic() - begun - told:.1f} s after it went on")
        self.assert_works()
        self.assertLess(told, 40)

    def test_y_reverts_within_qemu_where_fast_revert_is_on(self):
        self.host.stop()
        folder = os.path.join(self.folder, "fast")
        os.mkdir(folder)
        self.host = make_host(folder, fast="true").start()
        self.addCleanup(type(self).host.start)
        self.addCleanup(self.host.stop)
        self.host.await_state("ready")
        qemu = self.qemu_pid()
        for _ in range(3):
            self.assertTrue(self.host.control("revert", machine="main")["ok"])
        self.assertEqual(self.qemu_pid(), qemu)
        self.assert_works()
        print("fast reverts in", ", ".join(f"{s:.2f}" for s in self.seconds_of_reverts()), "s")

    def test_z_ends_the_domain_with_the_host_and_starts_it_from_its_snapshot(self):
        self.host.stop()
        self.assertEqual(domain_state(), "shut off")
        said = len(self.host.log())
        begun = time.monotonic()
        self.host.start()
        self.host.await_state("ready")
        self.assert_works()
        print(f"host start with a saved snapshot to the first answered job: {time.monotonic() - begun:.1f} s")
        self.assertIn("runs from its snapshot", self.host.log()[said:])


if __name__ == "__main__":
    main()
