# SPDX-License-Identifier: MIT
"""What host and guest tell the service manager that started them, on a real datagram socket; the units they ship with."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from pbotvm_testing import TOP, Folder, Host, clean_environment, main, program

UNITS = [TOP / "etc/systemd/pbotvm-host.service", TOP / "guest/setup/pbotvm-guest.service"]


class Manager:
    """A socket such as systemd gives to a service of Type=notify."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name[0] == "@" else name)
        self.socket.settimeout(60)
        if name[0] != "@":
            os.chmod(name, 0o777)

    def next(self):
        return self.socket.recv(4096).decode().splitlines()


class HostNotifies(Folder):
    def start(self, name):
        folder = tempfile.mkdtemp(dir=self.folder)
        os.chmod(folder, 0o755)
        yaml = (f"default_machine: m\nmachines: {{m: {{hypervisor: none, transports: [virtio-serial], serial: 0, heart: 0, "
                f"virtio_serial: 'unix:{folder}/none.sock'}}}}\n")
        host = Host(folder, yaml=yaml, environment={"NOTIFY_SOCKET": name}).start()
        self.addCleanup(host.process.wait)
        self.addCleanup(host.process.kill)
        return host

    def follow(self, name):
        manager = Manager(name)
        self.addCleanup(manager.socket.close)
        host = self.start(name)
        ready = manager.next()
        self.assertEqual(ready[0], "READY=1")
        self.assertIn(f":{host.port}", ready[1])
        with host.connect():  # it serves when it says so
            pass
        host.process.send_signal(signal.SIGTERM)
        self.assertEqual(manager.next(), ["STOPPING=1"])
        self.assertEqual(host.process.wait(60), 0)

    def test_on_a_path(self):
        self.follow(os.path.join(self.folder, "notify"))

    def test_in_the_abstract_namespace(self):
        self.follow(f"@pbotvm-test-{os.getpid()}")

    def test_a_socket_that_nobody_serves_or_that_is_none_stops_nothing(self):
        for name in (os.path.join(self.folder, "nobody"), "relative", "@", "/" + 200 * "x"):
            with self.subTest(name):
                host = self.start(name)
                host.await_log("serves 127.0.0.1")
                host.process.send_signal(signal.SIGTERM)
                self.assertEqual(host.process.wait(60), 0)


class GuestNotifies(Folder):
    def test_when_it_serves(self):
        name = os.path.join(self.folder, "notify")
        manager = Manager(name)
        self.addCleanup(manager.socket.close)
        data = os.path.join(self.folder, "data.sock")
        work = os.path.join(self.folder, "work")
        os.mkdir(work, 0o755)
        guest = subprocess.Popen([program("pbotvm-guest"), "--listen", "unix:" + data, "--work", work, "--user", "nobody",
                                  "--allow-missing", "all"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, env=clean_environment(NOTIFY_SOCKET=name))
        self.addCleanup(guest.wait)
        self.addCleanup(guest.kill)
        self.assertEqual(manager.next(), ["READY=1"])
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(data)


class Units(Folder):
    def test_are_of_the_type_that_waits_for_ready(self):
        for unit in UNITS:
            self.assertIn("Type=notify\n", unit.read_text())

    def test_the_hosts_unit_needs_no_root(self):
        text = UNITS[0].read_text()
        for line in ("User=pbotvm", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="):
            self.assertIn(line + "\n", text)
        # TCG writes machine code into memory and runs it.
        self.assertNotIn("MemoryDenyWriteExecute=yes", text)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
    def test_systemd_finds_nothing_wrong_with_them(self):
        for unit in UNITS:
            path = os.path.join(self.folder, unit.name)
            text = unit.read_text().replace("@PBOTVM_BINDIR@/pbotvm-host", "/bin/true").replace("@PBOTVM_DOCDIR@", "/usr")
            with open(path, "w") as f:
                f.write(text.replace("/usr/local/bin/guest-server", "/bin/true"))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=60)
            said = [line for line in done.stderr.splitlines() if unit.name in line]
            self.assertEqual(said, [], done.stderr)


if __name__ == "__main__":
    main()
