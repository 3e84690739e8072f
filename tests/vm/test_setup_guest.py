# SPDX-License-Identifier: MIT
"""setup-guest makes an ordinary Debian with systemd a guest: in a real machine, with a real host at its lines."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading

from pbotvm_testing import BUILD, IMAGE, TOP, Folder, Host, clean_environment, main, program, wait_for

HERE = pathlib.Path(__file__).parent
SYSTEM = BUILD / "test-systemd"
LANGUAGES = "sh,perl,bc,bf"
STATUS = re.compile(rb"\[status (\d+)\]\n")
UNIT = "pbotvm-guest.service"
OURS = ["/etc", "/usr/local", "/usr/include/prelude.h", "/usr/include/pbotvm", "/home", "/var/lib/dpkg/status"]

YAML = """\
default_machine: main
machines:
  main:
    hypervisor: none
    transports: [virtio-serial, serial]
    virtio_serial: "unix:{folder}/data.sock"
    serial: "unix:{folder}/serial.sock"
    heart: "unix:{folder}/heart.sock"
"""


class OrdinaryMachine:
    """A Debian with systemd under QEMU, a shell of root on its console, its lines on sockets in `folder`."""

    def __init__(self, folder, initrd):
        self.folder = folder
        disk = os.path.join(folder, "written.img")
        with open(disk, "wb") as file:
            file.truncate(1 << 30)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", disk], check=True)
        line = lambda name: ["-chardev", f"socket,id={name},path={folder}/{name}.sock,server=on,wait=off"]
        self.log = open(os.path.join(folder, "qemu.log"), "wb")
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "qemu64", "-m", "768", "-nodefaults",
             "-no-user-config", "-display", "none", "-kernel", IMAGE / "vmlinuz", "-initrd", initrd, "-append",
             "console=ttyS0 quiet loglevel=3 systemd.show_status=false norandmaps nowatchdog panic=-1",
             "-drive", f"if=none,id=base,format=raw,readonly=on,file={SYSTEM}/rootfs.squashfs",
             "-drive", f"if=none,id=written,format=raw,cache=unsafe,file={disk}",
             "-device", "virtio-blk-pci,drive=base", "-device", "virtio-blk-pci,drive=written",
             "-object", "rng-builtin,id=rng", "-device", "virtio-rng-pci,rng=rng",
             *line("console"), "-device", "isa-serial,chardev=console,index=0",
             *line("serial"), "-device", "isa-serial,chardev=serial,index=2,irq=5",
             *line("heart"), "-device", "isa-serial,chardev=heart,index=3",
             *line("data"), "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=data,name=pbotvm.data"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        sockets = [os.path.join(folder, f"{name}.sock") for name in ("console", "serial", "heart", "data")]
        wait_for("QEMU's sockets", lambda: self.process.poll() is not None or all(map(os.path.exists, sockets)))
        for path in sockets:
            os.chmod(path, 0o777)  # for the host's user
        self.seen = b""
        self.shell = socket.socket(socket.AF_UNIX)
        self.shell.connect(sockets[0])
        self.await_shell()

    def read_until(self, pattern, seconds):
        """What came before the pattern, and the match."""
        def there():
            self.shell.settimeout(0.5)
            try:
                piece = self.shell.recv(65536)
            except TimeoutError:
                piece = None
            if piece == b"":
                raise RuntimeError(f"QEMU ended: {pathlib.Path(self.folder, 'qemu.log').read_text()}")
            self.seen += piece or b""
            return re.search(pattern, self.seen)

        try:
            match = wait_for("the console", there, seconds)
        except TimeoutError:
            raise TimeoutError(f"no {pattern!r} on the console within {seconds} s; it shows {self.seen[-2000:]!r}") from None
        before, self.seen = self.seen[: match.start()], self.seen[match.end():]
        return before.decode(errors="replace"), match

    def await_shell(self):
        self.read_until(rb"console ready\r?\n", 180)

    def run(self, command, seconds=240):
        """Exit status and what the command printed."""
        self.shell.sendall(f"{{ {command}\n}} </dev/null 2>&1; echo \"[status $?\"]\n".encode())
        text, match = self.read_until(STATUS, seconds)
        return int(match.group(1)), text

    def stop(self):
        self.shell.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()


def make_initrd(folder):
    """The image's own, with another first program, and with what an operator copies into a machine of his."""
    tree = os.path.join(folder, "initrd")
    for name in ("base", "upper", "new", "dev"):
        os.makedirs(os.path.join(tree, name))
    shutil.copy(HERE / "systemd-init", os.path.join(tree, "init"))
    os.chmod(os.path.join(tree, "init"), 0o755)
    shutil.copytree(TOP / "guest" / "setup", os.path.join(tree, "pbotvm", "setup"))
    shutil.copytree(TOP / "guest" / "include", os.path.join(tree, "pbotvm", "include"))
    shutil.copy(TOP / "guest" / "setup-guest", os.path.join(tree, "pbotvm"))
    shutil.copy(program("pbotvm-guest"), os.path.join(tree, "pbotvm"))
    names = subprocess.run(["find", ".", "-print0"], cwd=tree, check=True, capture_output=True).stdout
    made = subprocess.run(["cpio", "--quiet", "-0", "-o", "-H", "newc", "-R", "0:0"], cwd=tree, input=names, check=True,
                          capture_output=True).stdout
    path = os.path.join(folder, "initrd.img")
    pathlib.Path(path).write_bytes((IMAGE / "initrd").read_bytes() + made)
    return path


class SetupGuest(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        subprocess.run([HERE / "debian-with-systemd", SYSTEM, IMAGE, LANGUAGES], check=True, stdin=subprocess.DEVNULL,
                       env=clean_environment())
        cls.vm = OrdinaryMachine(cls.folder, make_initrd(cls.folder))
        cls.addClassCleanup(cls.vm.stop)
        cls.host = Host(cls.folder, {"PBOTVM_TIMEOUT": 20, "PBOTVM_MEMORY_LIMIT": "64 MiB"}, YAML.format(folder=cls.folder))
        cls.addClassCleanup(cls.host.stop)

    def tell(self, command, seconds=240):
        """Runs a command that must succeed."""
        status, text = self.vm.run(command, seconds)
        self.assertEqual(status, 0, f"{command}: {text}")
        return text.strip()

    def fingerprint(self):
        """Everything that setup-guest may write to: names, modes, owners, sizes, and when each was last touched."""
        return self.tell(f"find {' '.join(OURS)} -printf '%p %m %u %s %C@ %l\\n' 2>/dev/null; true")

    def assert_serves(self):
        self.host.await_state("ready", 240)
        self.assertEqual(self.host.ask("-lang=sh echo hello"), "hello")
        self.assertEqual(self.host.ask("-lang=sh id -un; pwd"), "vm\n/home/vm")

    def test_1_a_dry_run_changes_nothing(self):
        before = self.fingerprint()
        plan = self.tell(f"runuser -u nobody -- env -C / bash /root/pbotvm/setup-guest --help >/dev/null; "
                         f"/root/pbotvm/setup-guest --dry-run --languages {LANGUAGES}")
        self.assertIn("apt-get", plan)
        self.assertIn("would run useradd", plan)
        self.assertIn("nothing was changed", plan)
        self.assertEqual(self.fingerprint(), before)

    def test_2_what_a_distribution_lacks_is_said_before_anything_changes(self):
        before = self.fingerprint()
        status, text = self.vm.run("/root/pbotvm/setup-guest --languages sh,tendra")
        self.assertEqual(status, 69, text)
        self.assertIn("no packages for the language 'tendra'", text)
        self.assertEqual(self.fingerprint(), before)
        # Known to the list, but not to this system's repositories.
        status, text = self.vm.run("/root/pbotvm/setup-guest --languages sh,haskell", 300)
        self.assertEqual(status, 69, text)
        self.assertIn("no package ghc", text)
        self.assertEqual(self.vm.run("id vm")[0], 1)

    def test_3_makes_the_machine_a_guest(self):
        text = self.tell(f"/root/pbotvm/setup-guest --skip-missing --languages {LANGUAGES},haskell", 600)
        for line in ("installed the packages", "user vm: made", "pbotvm-guest.service: restarted", "passed over: haskell"):
            self.assertIn(line, text)
        self.assertEqual(self.tell("getent passwd vm | cut -d : -f 6"), "/home/vm")
        self.assertIn(self.tell("getent shadow vm | cut -d : -f 2"), ("!", "!!", "*"))
        self.assertEqual(self.tell(f"systemctl is-enabled {UNIT}; systemctl is-active {UNIT}"), "enabled\nactive")
        for tty in ("ttyS2", "ttyS3"):
            self.assertEqual(self.vm.run(f"systemctl is-enabled serial-getty@{tty}.service")[1].strip(), "masked")
        self.assertEqual(self.tell("cat /proc/$(systemctl show -P MainPID pbotvm-guest)/oom_score_adj"), "-1000")
        self.assertEqual(self.tell("cat /proc/sys/kernel/core_pattern; grep -c '^vsock ' /proc/modules"), "core\n1")
        self.assertEqual(self.tell("command -v bff setup-guest guest-server; ls /usr/include/prelude.h"),
                         "/usr/local/bin/bff\n/usr/local/bin/setup-guest\n/usr/local/bin/guest-server\n/usr/include/prelude.h")
        self.assertIn("serves the host already", self.tell("guest-server"))

    def test_4_serves_a_host_with_every_piece_of_containment(self):
        self.host.start()
        self.assert_serves()
        self.assertNotRegex(self.tell(f"journalctl -q -o cat -u {UNIT}"), "reduced containment|cannot contain")
        self.assertEqual(self.host.ask("-lang=perl print 6 * 7"), "42")
        self.assertRegex(self.host.ask("-lang=sh cat /proc/self/cgroup"), r"^0::/")
        wait_for("a heartbeat", lambda: (self.host.machine()["heartbeat_age_s"] or 99) < 6, 90)

    def test_5_systemd_leaves_its_control_groups_alone(self):
        self.tell("systemctl daemon-reload && systemctl daemon-reexec && systemd-run --wait -q -p MemoryMax=100M -p CPUWeight=50 true")
        controllers = self.tell("cat /sys/fs/cgroup/pbotvm/cgroup.subtree_control").split()
        self.assertLessEqual({"memory", "pids", "cpu"}, set(controllers))
        self.assert_serves()
        self.assertIn("[Memory limit]", self.host.ask("-lang=perl my $x = 'x' x 200_000_000; print length $x"))
        self.assert_serves()

    def test_6_the_user_of_jobs_may_nothing_and_the_network_is_off(self):
        check = "pkcheck --action-id org.freedesktop.login1.reboot --process $$"
        self.assertEqual(self.vm.run(check)[0], 0)
        status, text = self.vm.run(f"runuser -u vm -- sh -c '{check}'")
        self.assertEqual((status, text.strip()), (1, "Not authorized."))
        self.tell("ip netns add other && ip link add inside type veth peer name outside netns other && "
                  "ip addr add 10.9.9.1/24 dev inside && ip link set inside up && "
                  "ip -n other addr add 10.9.9.2/24 dev outside && ip -n other link set outside up")
        self.assertIn("not permitted", self.vm.run("echo x >/dev/udp/10.9.9.2/9")[1])
        self.tell("systemctl stop pbotvm-network && echo x >/dev/udp/10.9.9.2/9 && systemctl start pbotvm-network")
        self.assertIn("not permitted", self.vm.run("echo x >/dev/udp/10.9.9.2/9")[1])
        self.tell("ip netns del other && nft --check -f /usr/local/share/pbotvm/guest/setup/network-ssh.nft")

    def test_7_a_second_run_changes_nothing(self):
        before = self.fingerprint()
        invocation = self.tell(f"systemctl show -P InvocationID {UNIT}")
        # From its place in the guest, without what was copied there.
        text = self.tell(f"rm -r /root/pbotvm; setup-guest --languages {LANGUAGES}", 300)
        self.assertIn("nothing to change", text)
        self.assertEqual(self.fingerprint(), before)
        self.assertEqual(self.tell(f"systemctl show -P InvocationID {UNIT}"), invocation)

    def test_8_no_job_outlives_the_service(self):
        client = threading.Thread(target=self.host.ask, args=["-lang=sh sleep 60 & sleep 60"])
        client.start()
        wait_for("the job", lambda: self.vm.run("pgrep -u vm sleep")[0] == 0)
        self.tell(f"systemctl stop {UNIT}")
        self.assertEqual(self.vm.run("pgrep -u vm"), (1, ""))
        self.assertEqual(self.tell("cat /sys/fs/cgroup/pbotvm/*/cgroup.procs 2>/dev/null; true"), "")
        self.tell(f"systemctl start {UNIT}")
        client.join(120)
        self.assertFalse(client.is_alive())
        self.assert_serves()

    def test_9_repairs_only_what_is_wrong(self):
        self.tell("rm /etc/polkit-1/rules.d/00-pbotvm.rules && systemctl unmask serial-getty@ttyS2.service")
        text = self.tell(f"setup-guest --languages {LANGUAGES} --vsock 6000", 300)
        changed = text.split("changed:\n")[1].split("note:")[0].strip().splitlines()
        self.assertEqual([line.strip() for line in changed],
                         ["/etc/polkit-1/rules.d/00-pbotvm.rules: written", "serial-getty@ttyS2: masked",
                          "/etc/pbotvm/guest.conf: VSOCK=6000", "pbotvm-guest.service: restarted"])
        self.assert_serves()

    def test_a_is_a_guest_after_a_reboot_too(self):
        self.vm.shell.sendall(b"systemctl reboot\n")
        self.vm.await_shell()
        self.assert_serves()
        self.assertEqual(self.tell("systemctl is-active pbotvm-network; nft list ruleset | grep -c 'policy drop'"), "active\n3")
        self.assertEqual(self.vm.run("systemctl is-system-running --wait", 300)[1].strip(), "running")


if __name__ == "__main__":
    main()
