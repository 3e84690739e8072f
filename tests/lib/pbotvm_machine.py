# SPDX-License-Identifier: MIT
"""A real host with a real QEMU machine, for the machine tests."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

from pbotvm_testing import BUILD, IMAGE, Folder, Host, wait_for

# Where the first test leaves its snapshot, so that not every test boots and warms up a machine of its own.
TEMPLATE = BUILD / "test-machine"

YAML = """\
machines:
  pbot-vm:
    hypervisor: {{plugin: qemu, accel: tcg}}
    transports: [{transports}]
    serial: "{serial}"
    heart: "{heart}"
"""


class VirtualMachine(Folder):
    """`settings` go to the host's environment; lines are Unix sockets below STATE unless `serial` or `heart` say otherwise."""

    settings = {}
    transports = "virtio-serial"
    serial = "unix:machines/pbot-vm/serial.sock"
    heart = "unix:machines/pbot-vm/heart.sock"
    from_snapshot = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = cls.start_host(cls.folder)

    @classmethod
    def start_host(cls, folder):
        """A host of these settings with its machine, ready to serve, until the class ends."""
        yaml = YAML.format(transports=cls.transports, serial=cls.serial, heart=cls.heart)
        host = Host(folder, {"PBOTVM_IMAGE": IMAGE, **cls.settings}, yaml)
        if cls.from_snapshot:
            machine = os.path.join(host.state, "machines", "pbot-vm")
            os.makedirs(os.path.dirname(machine))
            shutil.copytree(TEMPLATE, machine)
            if os.geteuid() == 0:
                for path in [host.state, *pathlib.Path(host.state).rglob("*")]:
                    shutil.chown(path, "pbotvm", "pbotvm")
        host.start()
        cls.addClassCleanup(host.stop)
        return host.await_state("ready", 240)

    def qemu_pid(self):
        return int(re.search(r"pid (\d+)", self.host.machine()["hypervisor"]).group(1))

    def reverts(self):
        return self.host.machine()["reverts"]

    def assert_works(self):
        self.assertEqual(self.host.ask("-lang=sh echo works"), "works")

    def console(self):
        return Console(os.path.join(self.host.state, "machines", "pbot-vm", "console.sock"))


class Console:
    """The operator's root console."""

    def __init__(self, path):
        self.commands = 0
        # The path of a socket has at most 107 bytes; a link to its folder is short.
        self.socket = socket.socket(socket.AF_UNIX)
        here = os.open(os.path.dirname(path), os.O_PATH)
        try:
            self.socket.connect(f"/proc/self/fd/{here}/{os.path.basename(path)}")
        finally:
            os.close(here)
        self.socket.settimeout(0.2)
        self.seen = b""

    def type(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def expect(self, pattern, seconds=30):
        def there():
            try:
                self.seen += self.socket.recv(4096)
            except TimeoutError:
                pass
            return re.search(pattern, self.seen)

        return wait_for(f"{pattern!r} on the console, which shows {self.seen[-300:]!r}", there, seconds)

    def run(self, command, seconds=30):
        """Runs a command line and comes back with what it printed once it has ended, without the line's end."""
        self.seen = b""
        self.commands += 1
        end = f"ended-{self.commands}-"
        self.type(f"{command}\nstatus=$?; echo; echo {end}$status.")
        there = self.expect(rb"(?s)(.*?)\r?\n" + end.encode() + rb"(\d+)\.\r\n", seconds)
        text = there.group(1).decode(errors="replace").replace("\r\n", "\n").rstrip("\n")
        if there.group(2) != b"0":
            raise RuntimeError(f"{command!r} in the machine: status {there.group(2).decode()}, it said {text[-1000:]!r}")
        return text

    def close(self):
        self.socket.close()


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class BareMachine:
    """A machine that is nobody's but the test's: plain QEMU with the real image. What a host sees with the hypervisor
    `none`. Its lines are the Unix sockets serial.sock, heart.sock and virtio.sock in `folder`; the root console is
    console.sock. `disk` is a file that the machine sees as /dev/vdb, read only. What the machine writes to ttyS1 is in
    `report`."""

    def __init__(self, folder, disk=None, memory=768, cpus=1):
        self.folder = folder
        self.report = os.path.join(folder, "report")
        self.process = None
        # Relative paths: that of a socket has at most 107 bytes, and QEMU runs in the folder.
        self.arguments = [
            # It does not outlive the test, however that ends.
            "setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-machine", "q35,usb=off,sata=off,smbus=off,vmport=off", "-cpu", "qemu64",
            "-accel", "tcg" + (",thread=multi" if cpus > 1 else ""), "-m", str(memory), "-smp", str(cpus),
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
            "-kernel", str(IMAGE / "vmlinuz"), "-initrd", str(IMAGE / "initrd"),
            "-append", "console=ttyS0 loglevel=3 panic=-1 nowatchdog norandmaps",
            *self.disk(0, IMAGE / "rootfs.squashfs"), *(self.disk(1, disk) if disk else []),
            "-object", "rng-builtin,id=rng", "-device", "virtio-rng-pci,rng=rng",
            *self.line("console"), "-device", "isa-serial,chardev=console,index=0",
            "-chardev", "file,id=report,path=report", "-device", "isa-serial,chardev=report,index=1",
            *self.line("serial"), "-device", "isa-serial,chardev=serial,index=2",
            *self.line("heart"), "-device", "isa-serial,chardev=heart,index=3",
            *self.line("virtio"), "-device", "virtio-serial-pci,id=serial0,max_ports=2",
            "-device", "virtserialport,bus=serial0.0,nr=1,chardev=virtio,name=pbotvm.data"]

    @staticmethod
    def disk(number, file):
        return ["-blockdev", f"driver=file,node-name=disk{number},filename={file},read-only=on,locking=off",
                "-device", f"virtio-blk-pci,drive=disk{number}"]

    @staticmethod
    def line(name):
        return ["-chardev", f"socket,id={name},path={name}.sock,server=on,wait=off"]

    def start(self, seconds=240):
        """Comes back when the root console answers."""
        with open(os.path.join(self.folder, "qemu.log"), "ab") as log:
            self.process = subprocess.Popen(self.arguments, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        path = os.path.join(self.folder, "console.sock")
        last = os.path.join(self.folder, "virtio.sock")  # QEMU makes them in the order of its arguments
        wait_for("QEMU's lines", lambda: os.path.exists(last) or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise RuntimeError("QEMU: " + pathlib.Path(self.folder, "qemu.log").read_text())
        if os.geteuid() == 0:  # the host's user connects to them
            for name in ("serial", "heart", "virtio"):
                os.chmod(os.path.join(self.folder, name + ".sock"), 0o777)
        self.console = Console(path)
        self.console.expect(rb"# $", seconds)
        self.console.run("stty -echo; PS1=", seconds)
        return self

    def stop(self):
        if self.process is None:
            return
        self.console.close()
        self.process.terminate()
        self.process.wait(60)


def payload(file, trees, programs=()):
    """Makes a squashfs of `trees`, a list of (source, path in it), with the shared libraries that `programs` (paths on
    this system) need and the image does not have in it, below lib/."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(file)) as folder:
        os.chmod(folder, 0o755)  # it becomes the root directory
        for source, target in trees:
            target = os.path.join(folder, target)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.isdir(source):
                shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)
        os.makedirs(os.path.join(folder, "lib"), exist_ok=True)
        for library in sorted({library for program in programs for library in libraries_of(program)}):
            shutil.copy2(library, os.path.join(folder, "lib"))
        subprocess.run(["mksquashfs", folder, file, "-noappend", "-all-root", "-noI", "-noD", "-noF", "-noX", "-no-progress",
                        "-quiet"], check=True, stdout=subprocess.DEVNULL)
    return file


def libraries_of(file):
    """Those that the C library brings are the machine's own."""
    own = re.compile(r"/(ld-linux-x86-64|lib(c|m|dl|rt|pthread|resolv|util))\.so")
    told = subprocess.run(["ldd", file], check=True, capture_output=True, text=True).stdout
    return [path for path in re.findall(r"=> (/\S+)", told) if not own.search(path)]
