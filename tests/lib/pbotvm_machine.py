# SPDX-License-Identifier: MIT
"""A real host with a real QEMU machine, for the machine tests."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

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
        yaml = YAML.format(transports=cls.transports, serial=cls.serial, heart=cls.heart)
        cls.host = Host(cls.folder, {"PBOTVM_IMAGE": IMAGE, **cls.settings}, yaml)
        if cls.from_snapshot:
            machine = os.path.join(cls.host.state, "machines", "pbot-vm")
            os.makedirs(os.path.dirname(machine))
            shutil.copytree(TEMPLATE, machine)
            if os.geteuid() == 0:
                for path in [cls.host.state, *pathlib.Path(cls.host.state).rglob("*")]:
                    shutil.chown(path, "pbotvm", "pbotvm")
        cls.host.start()
        cls.addClassCleanup(cls.host.stop)
        cls.host.await_state("ready", 240)

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

    def close(self):
        self.socket.close()


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
