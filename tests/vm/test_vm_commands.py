# SPDX-License-Identifier: MIT
"""`pbotvm vm` with real machines: an installer's ISO that this test makes writes a disk, which a host then runs; and the
machine of the guest image. Both under plain QEMU and under a libvirtd of the test's own."""

import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from pbotvm_machine import TEMPLATE
from pbotvm_testing import BUILD, IMAGE, TOP, Folder, Host, clean_environment, free_port, main, program, wait_for
from pbotvm_libvirt import Libvirt, why_not

LOADER = ("/usr/lib/ISOLINUX/isolinux.bin", "/usr/lib/syslinux/modules/bios/ldlinux.c32")
BOOT_RECORD = "/usr/lib/ISOLINUX/isohdpfx.bin"

MENU = """\
SERIAL 0
DEFAULT linux
LABEL linux
KERNEL /install.amd/vmlinuz
APPEND initrd=/install.amd/initrd.gz console=ttyS0 loglevel=3 panic=-1 nowatchdog norandmaps
"""

# In front of the guest image's own mounting: whoever has a disk's content with him is the installer.
INSTALL = """\
[ ! -f /disk.img ] || {
  echo "The installer writes the disk" >/dev/console
  dd if=/disk.img of=/dev/vda bs=1M conv=fsync || fail "cannot install"
  echo "The disk is written" >/dev/console
  exec reboot -f
}
"""


class Shared:
    """The one ISO of this file: an installer with Debian's layout of files, whose system is the guest image on a disk that
    boots by itself."""

    folder = iso = None


def setUpModule():
    missing = [name for name in (*LOADER, BOOT_RECORD) if not os.path.exists(name)]
    missing += [name for name in ("xorriso", "cpio") if shutil.which(name) is None]
    if missing:
        raise unittest.SkipTest("not installed: " + ", ".join(missing))
    Shared.folder = tempfile.mkdtemp(prefix="pbotvm-")
    unittest.addModuleCleanup(shutil.rmtree, Shared.folder, True)
    os.chmod(Shared.folder, 0o755)
    make_initrd("system", [])
    make_iso("disk.img", "system", "-append_partition", "2", "0x83", str(IMAGE / "rootfs.squashfs"))
    make_initrd("installer", ["disk.img"])
    Shared.iso = make_iso("installer.iso", "installer")


def make_initrd(name, files):
    """The image's, and behind it an archive that replaces its first program: the kernel unpacks both."""
    tree = os.path.join(Shared.folder, name + ".tree")
    os.makedirs(tree)
    text = (TOP / "guest" / "image" / "initrd-init").read_text()
    mount = "mount -t squashfs -o ro /dev/vda /base"
    assert text.count(mount) == 1
    init = pathlib.Path(tree, "init")
    init.write_text(text.replace(mount, INSTALL + mount.replace("vda", "vda2")))
    init.chmod(0o755)
    for file in files:
        os.link(os.path.join(Shared.folder, file), os.path.join(tree, file))
    with open(os.path.join(Shared.folder, name), "wb") as out:
        out.write((IMAGE / "initrd").read_bytes())
        out.flush()
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=tree, stdout=out, check=True, timeout=120,
                       input="\n".join(os.listdir(tree)).encode())


def make_iso(name, initrd, *more):
    tree = pathlib.Path(Shared.folder, name + ".tree")
    for folder in ("install.amd", "isolinux"):
        (tree / folder).mkdir(parents=True)
    os.link(os.path.join(Shared.folder, initrd), tree / "install.amd" / "initrd.gz")
    shutil.copy(IMAGE / "vmlinuz", tree / "install.amd" / "vmlinuz")
    for file in LOADER:
        shutil.copy(file, tree / "isolinux")
    (tree / "isolinux" / "isolinux.cfg").write_text(MENU)
    made = os.path.join(Shared.folder, name)
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", made, "-b", "isolinux/isolinux.bin", "-c",
                    "isolinux/boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", "-isohybrid-mbr",
                    BOOT_RECORD, *more, str(tree)], check=True, capture_output=True, timeout=120)
    return made


def settings_in(output):
    """The YAML that create ends with."""
    return output.split("for the host:\n\n", 1)[1]


class Terminal:
    """A program with a terminal of its own."""

    def __init__(self, words, environment):
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
                                        start_new_session=True)
        os.close(theirs)
        os.set_blocking(self.ours, False)
        self.seen = b""

    def type(self, text):
        os.write(self.ours, text)

    def expect(self, pattern, seconds=120):
        def there():
            try:
                self.seen += os.read(self.ours, 65536)
            except (BlockingIOError, OSError):  # its other end is closed when the program ended
                pass
            return re.search(pattern, self.seen)

        return wait_for(f"{pattern!r} on the terminal, which shows {self.seen[-300:]!r}", there, seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(60)
        os.close(self.ours)


class Commands(Folder):
    """The settings speak for one machine, `web`, whose ports nobody else has."""

    inside = ()  # in front of a command: where it sees what the daemon sees

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.state = os.path.join(cls.folder, "state")
        cls.config = os.path.join(cls.folder, "pbotvm.yaml")
        cls.disk = os.path.join(cls.folder, "web.qcow2")
        cls.ports = {"PBOTVM_MACHINE": "web", "PBOTVM_SERIAL": free_port(), "PBOTVM_HEART": free_port()}
        cls.environment = clean_environment(
            PBOTVM_STATE=cls.state, PBOTVM_PLUGINS=BUILD / "lib" / "pbotvm", PBOTVM_LANGUAGES=TOP / "etc" / "languages",
            HOME=cls.folder, **cls.ports)

    def run_program(self, name, *words, seconds=240, **changes):
        environment = {**self.environment, **{key: str(value) for key, value in changes.items()}}
        return subprocess.run([*self.inside, program(name), *words], env=environment, timeout=seconds, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, errors="replace")

    def vm(self, *words, status=0, **changes):
        ended = self.run_program("pbotvm", "vm", *words, **changes)
        self.assertEqual(ended.returncode, status, ended.stdout[-2000:] + ended.stderr)
        return ended.stderr if status else ended.stdout

    def use(self, yaml):
        """The settings of later commands."""
        pathlib.Path(self.config).write_text(yaml)
        self.environment["PBOTVM_CONFIG"] = self.config


class PlainQemu(Commands):
    def serve(self, yaml, name):
        folder = os.path.join(self.folder, name)
        os.mkdir(folder)
        host = Host(folder, {**self.ports, "PBOTVM_TIMEOUT": 5}, yaml)
        self.addCleanup(host.stop)
        return host

    def assert_serves(self, host):
        host.start().await_state("ready", 280)
        self.assertEqual(host.ask("-lang=sh echo works; echo kept >/tmp/kept"), "works")
        self.assertRegex(host.ask("-lang=sh while :; do :; done"), r"\[Timed-out\]")
        host.await_log("reverted in")
        host.await_state("ready")
        self.assertEqual(host.ask("-lang=sh echo works"), "works")

    def test_iso_is_installed_to_a_disk_that_a_host_then_runs(self):
        begun = time.monotonic()
        out = self.vm("create", "web", "--iso", Shared.iso, "--disk", self.disk, "--disk-size", "1G", "--memory", "1536M")
        print(f"\ninstalled from the ISO in {time.monotonic() - begun:.1f} s")
        self.assertIn("The disk is written", out)
        self.assertIn("setup-guest", out)
        again = self.vm("create", "web", "--iso", Shared.iso, "--disk", self.disk, status=77)
        self.assertIn("already, which is not overwritten", again)
        host = self.serve(settings_in(out), "host")
        self.environment.update(PBOTVM_CONFIG=host.environment["PBOTVM_CONFIG"], PBOTVM_STATE=host.state)
        self.assert_serves(host)
        self.assertIn("held by pbotvm-host", self.vm("delete", "web", "--disks", status=77))
        self.look_at_the_console()
        host.stop()
        self.assertIn("removed", self.vm("delete", "web"))
        self.assertFalse(os.path.exists(os.path.join(host.state, "machines", "web")))
        self.assertTrue(os.path.exists(self.disk))
        self.vm("delete", "web", "--disks")
        self.assertFalse(os.path.exists(self.disk))

    def look_at_the_console(self):
        terminal = Terminal([program("pbotvm"), "vm", "console", "web"], self.environment)
        self.addCleanup(terminal.close)
        terminal.expect(rb"Ctrl-\] leaves")
        terminal.type(b"\necho typed $((6*7))\n")
        terminal.expect(rb"typed 42")
        terminal.type(b"\x1d")
        wait_for("Ctrl-] to end the console", lambda: terminal.process.poll() is not None)

    def test_image_needs_nothing_but_its_settings(self):
        out = self.vm("create", "web", "--image", str(IMAGE))
        host = self.serve(settings_in(out), "image-host")
        if TEMPLATE.exists():  # saves a boot where the first test of all left its snapshot
            shutil.copytree(TEMPLATE, os.path.join(host.state, "machines", "web"))
            for path in [host.state, *pathlib.Path(host.state).rglob("*")]:
                if os.geteuid() == 0:
                    shutil.chown(path, "pbotvm", "pbotvm")
        self.assert_serves(host)

    def test_machine_that_outlives_its_host_is_ended_by_command(self):
        yaml = settings_in(self.vm("create", "web", "--image", str(IMAGE)))
        host = self.serve(yaml.replace("plugin: qemu\n", "plugin: qemu\n      outlive: true\n"), "outlive-host")
        self.environment.update(PBOTVM_CONFIG=host.environment["PBOTVM_CONFIG"], PBOTVM_STATE=host.state)
        self.addCleanup(self.run_program, "pbotvm", "vm", "destroy", "web")
        host.start().await_state("ready", 280)
        host.stop()
        self.assertRegex(self.vm("status", "web"), r"web: running, QEMU process \d+; no pbotvm-host holds it")
        self.assertIn("pbotvm vm destroy", self.vm("delete", "web", status=77))
        self.assertIn("asked to shut down", self.vm("stop", "web"))
        self.assertIn("web: ended", self.vm("destroy", "web"))
        self.assertIn("web: not running", self.vm("status", "web"))
        self.vm("delete", "web")
        self.assertFalse(os.path.exists(os.path.join(host.state, "machines", "web")))

    def test_installer_that_fails_leaves_no_disk(self):
        disk = os.path.join(self.folder, "failed.qcow2")
        # QEMU itself refuses: there is no such bridge.
        ended = self.vm("create", "web", "--iso", Shared.iso, "--disk", disk, "--network", "bridge=pbotvm-none", status=77)
        self.assertIn("ended with status 1", ended)
        self.assertIn(f"removed {disk} again", ended)
        self.assertFalse(os.path.exists(disk))

    def test_installer_that_is_ended_from_outside_leaves_no_disk(self):
        disk = os.path.join(self.folder, "ended.qcow2")
        terminal = Terminal([program("pbotvm"), "vm", "create", "web", "--iso", Shared.iso, "--disk", disk, "--memory", "1536M"],
                            self.environment)
        self.addCleanup(terminal.close)
        terminal.expect(rb"Linux version")
        terminal.process.terminate()
        terminal.expect(rb"removed .*ended\.qcow2 again")
        wait_for("its end", lambda: terminal.process.poll() is not None)
        self.assertEqual(terminal.process.returncode, 69)
        self.assertFalse(os.path.exists(disk))

    def test_installer_whose_qemu_is_killed_leaves_what_it_wrote(self):
        self.end_qemu_of_installer(signal.SIGKILL, rb"killed-9\.qcow2, which stays", 77)

    def test_installer_whose_qemu_is_told_to_end_leaves_what_it_wrote(self):
        self.end_qemu_of_installer(signal.SIGHUP, rb"its disk is .*killed-1\.qcow2", 0)

    def end_qemu_of_installer(self, number, says, status):
        disk = os.path.join(self.folder, f"killed-{int(number)}.qcow2")
        terminal = Terminal([program("pbotvm"), "vm", "create", "web", "--iso", Shared.iso, "--disk", disk, "--memory", "1536M"],
                            self.environment)
        self.addCleanup(terminal.close)
        terminal.expect(rb"The installer writes the disk", 240)
        wait_for("something on the disk", lambda: os.path.getsize(disk) > 4 << 20, 120)
        pid = terminal.process.pid
        (qemu,) = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(qemu), number)
        terminal.expect(says)
        wait_for("its end", lambda: terminal.process.poll() is not None)
        self.assertEqual(terminal.process.returncode, status)
        self.assertTrue(os.path.exists(disk))


@unittest.skipIf(why_not(), why_not())
@unittest.skipIf(shutil.which("virt-install") is None, "virt-install is not installed")
class ThroughLibvirt(Commands):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        daemon = os.path.join(cls.folder, "libvirt")
        os.mkdir(daemon)
        cls.libvirt = Libvirt(daemon)
        for name in ("boot", "images"):  # as its package makes them
            os.makedirs(os.path.join(daemon, "lib", name))
        cls.addClassCleanup(cls.libvirt.stop)
        cls.libvirt.start()
        # virt-install leaves the installer's kernel where the daemon looks for it.
        cls.inside = tuple(cls.libvirt.inside())
        cls.virtio = free_port()
        cls.yaml = (f'machines: {{web: {{domain: pbotvm-web-{os.getpid()}, virtio_serial: {cls.virtio}, '
                    f'hypervisor: {{plugin: libvirt, uri: "{cls.libvirt.uri}"}}}}}}\n')
        cls.domain = f"pbotvm-web-{os.getpid()}"

    def setUp(self):
        self.use(self.yaml)
        self.addCleanup(self.libvirt.virsh, "undefine", self.domain, check=False)
        self.addCleanup(self.libvirt.virsh, "destroy", self.domain, check=False)

    def state_of_domain(self):
        return self.libvirt.virsh("domstate", self.domain, check=False).stdout.strip()

    def console(self):
        terminal = Terminal([*self.inside, program("pbotvm"), "vm", "console", "web"], self.environment)
        self.addCleanup(terminal.close)
        return terminal

    def assert_guest_answers(self):
        ended = self.run_program("vm-exec", "-lang=sh", "echo", "hello", "world")
        self.assertEqual((ended.stdout, ended.returncode), ("hello world\n", 0), ended.stderr)

    def test_iso_is_installed_by_virt_install_to_a_domain_that_answers(self):
        begun = time.monotonic()
        out = self.vm("create", "web", "--iso", Shared.iso, "--disk", self.disk, "--disk-size", "1G", "--memory", "1536M")
        self.assertIn(f"{self.domain}: running", out)
        terminal = self.console()
        terminal.expect(rb"The disk is written", 240)
        wait_for("the installer's end", lambda: self.state_of_domain() == "shut off", 120)
        print(f"\ninstalled through virt-install in {time.monotonic() - begun:.1f} s")
        self.use(settings_in(out))
        self.vm("start", "web")
        self.assert_guest_answers()
        self.assertIn("is running", self.vm("delete", "web", status=77))
        self.vm("destroy", "web")
        out = self.vm("delete", "web", "--disks")
        self.assertIn(f"removed the domain {self.domain}", out)
        self.assertEqual(self.state_of_domain(), "")
        self.assertFalse(os.path.exists(self.disk))

    def test_image_becomes_a_domain_that_answers(self):
        disk = os.path.join(self.folder, "snapshots.qcow2")
        out = self.vm("create", "web", "--image", str(IMAGE), "--disk", disk)
        self.use(settings_in(out))
        self.assertIn("shut off", self.vm("list"))
        self.assertIn("has a domain", self.vm("create", "web", "--image", str(IMAGE), "--disk", disk + "2", status=77))
        self.vm("start")
        terminal = self.console()
        terminal.expect(rb"\[ *[0-9.]+\]|# $|pbot-vm")
        self.assert_guest_answers()
        terminal.type(b"\necho typed $((6*7))\n")
        terminal.expect(rb"typed 42")
        terminal.type(b"\x1d")
        wait_for("Ctrl-] to end the console", lambda: terminal.process.poll() is not None)
        self.assertIn("running", self.vm("status"))
        self.libvirt.virsh("snapshot-create-as", self.domain, "1")
        self.vm("destroy")
        self.vm("delete", "web", "--disks")  # with its snapshot
        self.assertEqual(self.state_of_domain(), "")
        self.assertFalse(os.path.exists(disk))
        self.assertTrue((IMAGE / "rootfs.squashfs").exists(), "a disk that is only read is not the machine's")

    def test_of_two_that_make_one_domain_the_loser_leaves_the_winners_alone(self):
        disks = [os.path.join(self.folder, f"race-{number}.qcow2") for number in range(2)]
        both = [subprocess.Popen([*self.inside, program("pbotvm"), "vm", "create", "web", "--iso", Shared.iso, "--disk", disk,
                                  "--disk-size", "1G", "--memory", "1536M"], env=self.environment, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for disk in disks]
        said = [process.communicate(timeout=240)[0] for process in both]
        ended = [process.returncode for process in both]
        self.assertEqual(sorted(ended), [0, 77], said)
        winner = ended.index(0)
        self.assertEqual(self.state_of_domain(), "running", said)
        self.assertEqual([os.path.exists(disk) for disk in disks], [number == winner for number in range(2)], said)
        self.assertIn(disks[winner], self.libvirt.virsh("dumpxml", self.domain).stdout)
        self.libvirt.virsh("suspend", self.domain)
        self.assertIn(f"resume {self.domain}", self.vm("start", "web", status=77))

    def test_installation_that_fails_leaves_neither_domain_nor_disk(self):
        disk = os.path.join(self.folder, "failed.qcow2")
        ended = self.vm("create", "web", "--iso", Shared.iso, "--disk", disk, "--network", "bridge=pbotvm-none", status=77)
        self.assertIn("virt-install ended with status", ended)
        self.assertEqual(self.state_of_domain(), "")
        self.assertFalse(os.path.exists(disk))


if __name__ == "__main__":
    main()
