# SPDX-License-Identifier: MIT
"""What the process and machine tests share: free ports, real hosts and guests, clients. Standard library only."""

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PBOTVM_TEST_BUILD", TOP / "build"))
IMAGE = pathlib.Path(os.environ.get("PBOTVM_TEST_IMAGE", TOP / "build" / "image"))


def program(name):
    return str(BUILD / "bin" / name)


KEPT_PORTS = []


def free_port():
    """One that no other test gets while this one runs. It is outside of what the kernel gives to clients: any of them could
    have it before the host binds it."""
    while True:
        port = 20000 + secrets.randbelow(12000)
        kept = socket.socket(socket.AF_UNIX)
        try:
            kept.bind(f"\0pbotvm-test-port-{port}")
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            kept.close()
        else:
            KEPT_PORTS.append(kept)
            return port


def copy_image(folder):
    """A copy of the guest image there, for a user who cannot reach the place where it was built."""
    return shutil.copytree(IMAGE, os.path.join(folder, "image"), ignore=shutil.ignore_patterns("modules", ".*"))


def clean_environment(**changes):
    """The environment without any PBOTVM_* of the person who runs the tests."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PBOTVM_")}
    environment.update({k: str(v) for k, v in changes.items()})
    return environment


def wait_for(what, condition, seconds=30):
    """Polls for an event of another process that can be seen in no other way."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


class Guest:
    """The real guest program outside a machine, on Unix sockets, its containment reduced as this system demands."""

    def __init__(self, folder):
        self.data = os.path.join(folder, "data.sock")
        self.heart = os.path.join(folder, "heart.sock")
        self.log_path = os.path.join(folder, "guest.log")
        self.work = os.path.join(folder, "work")
        self.process = None
        self.start()

    def start(self):
        for path in (self.data, self.heart):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        os.makedirs(self.work, exist_ok=True)
        os.chmod(self.work, 0o755)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [program("pbotvm-guest"), "--listen", "unix:" + self.data, "--heartbeat", "unix:" + self.heart,
                 "--work", self.work, "--user", "nobody", "--allow-missing", "all"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=clean_environment())
        paths = (self.data, self.heart)
        wait_for("the guest's sockets", lambda: all(map(os.path.exists, paths)) or self.process.poll() is not None)
        for path in paths:
            if os.path.exists(path):
                os.chmod(path, 0o777)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(60)


class Host:
    """A real pbotvm-host with a state directory and ports of its own; `prefix`: a command that starts it."""

    def __init__(self, folder, environment=None, yaml=None, arguments=(), prefix=()):
        self.folder = folder
        self.port = free_port()
        self.state = os.path.join(folder, "state")
        self.log_path = os.path.join(folder, "host.log")
        settings = {
            "PBOTVM_STATE": self.state,
            "PBOTVM_SERVER": self.port,
            "PBOTVM_PLUGINS": BUILD / "lib" / "pbotvm",
            "PBOTVM_LANGUAGES": TOP / "etc" / "languages",
        }
        if yaml is not None:
            config = os.path.join(folder, "pbotvm.yaml")
            pathlib.Path(config).write_text(yaml)
            settings["PBOTVM_CONFIG"] = config
        settings.update(environment or {})
        self.environment = clean_environment(**settings)
        self.arguments = list(arguments)
        self.prefix = list(prefix)
        self.program = program("pbotvm-host")
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, self.program, *self.arguments], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=self.environment, start_new_session=True)
        return self

    def log(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def await_log(self, text, seconds=30):
        return wait_for(f"'{text}' in the host's log", lambda: text in self.log(), seconds)

    def control(self, command, **arguments):
        here = os.path.join(self.state, "control.sock")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(90)
            s.connect(here)
            s.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            return json.loads(read_all(s))

    def machine(self, name=None):
        machines = self.control("status")["machines"]
        return next(m for m in machines if name is None or m["name"] == name)

    def await_state(self, state, seconds=60, name=None):
        def there():
            if self.process.poll() is not None:
                raise RuntimeError(f"the host ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            try:
                return self.machine(name)["state"] == state
            except (FileNotFoundError, ConnectionError):  # of a host that was before, or that is not there yet
                return False

        try:
            wait_for(f"the machine to be {state}", there, seconds)
        except TimeoutError as e:
            raise TimeoutError(f"{e}\n{self.log()[-3000:]}") from None
        return self

    def connect(self, timeout=60):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def send(self, line, timeout=60):
        """One request as bytes or text; the reply as bytes."""
        if b"\n" in (line.encode() if isinstance(line, str) else line).strip():
            raise ValueError("more than one line; send JSON")
        with self.connect(timeout) as s:
            s.sendall((line.encode() if isinstance(line, str) else line) + b"\n")
            return read_all(s)

    def ask(self, line, timeout=60):
        """One request, its reply as text without the line's end."""
        reply = self.send(line, timeout).decode()
        if not reply.endswith("\n"):
            raise AssertionError(f"a reply without a line's end: {reply!r}")
        return reply[:-1]

    def stop(self):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def read_all(connection):
    pieces = []
    while True:
        piece = connection.recv(65536)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


class Folder(unittest.TestCase):
    """A test with a temporary folder that the daemon's user can enter too."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp(prefix="pbotvm-")
        os.chmod(cls.folder, 0o755)
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)


# A machine that someone else runs: here the guest program itself, on the line of a virtio-serial port.
NONE_YAML = """\
default_machine: main
machines:
  main:
    hypervisor: none
    transports: [virtio-serial]
    serial: 0
    virtio_serial: "unix:{data}"
    heart: "unix:{heart}"
"""


class HostAndGuest(Folder):
    """A real host and a real guest program, no machine between them. `settings` go to the host's environment."""

    settings = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest = Guest(cls.folder)
        cls.addClassCleanup(cls.guest.stop)
        yaml = NONE_YAML.format(data=cls.guest.data, heart=cls.guest.heart)
        cls.host = Host(cls.folder, cls.settings, yaml).start()
        cls.addClassCleanup(cls.host.stop)
        cls.host.await_state("ready")

    def assert_works(self):
        self.assertEqual(self.host.ask("-lang=sh echo works"), "works")


def main():
    unittest.main(verbosity=2)
