# SPDX-License-Identifier: MIT
"""What the tests of images share: a folder of images, their content, and a QEMU that has one open."""

import hashlib
import json
import os
import pathlib
import socket
import subprocess
import tempfile

from pbotvm_testing import Folder, clean_environment, program, wait_for

MIB = 1 << 20


def qemu_img(*words):
    return subprocess.run(["qemu-img", *map(str, words)], check=True, capture_output=True, text=True, timeout=120)


def content(file):
    """What a machine would read: a checksum of the whole disk."""
    with tempfile.TemporaryDirectory(prefix="pbotvm-") as folder:
        flat = os.path.join(folder, "flat")
        qemu_img("convert", "-O", "raw", file, flat)
        with open(flat, "rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()


class ImageFolder(Folder):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=type(self).folder)).resolve()

    def command(self, *words):
        return [program("pbotvm"), "image", *map(str, words)]

    def image(self, *words):
        return subprocess.run(self.command(*words), cwd=self.folder, capture_output=True, text=True, timeout=120,
                              env=clean_environment(), stdin=subprocess.DEVNULL)

    def done(self, *words):
        done = self.image(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def refused(self, why, *words):
        done = self.image(*words)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(why, done.stderr)
        lines = [line for line in done.stderr.splitlines() if not line.endswith(" %")]
        self.assertEqual(len(lines), 1, done.stderr)

    def info(self, file):
        return json.loads(self.done("info", file, "--json"))["chain"]

    def fill(self, file, start, size):
        """Random bytes at a place of an image, both in MiB; nothing that could be there by chance."""
        data = self.folder / ".data"
        data.write_bytes(os.urandom(size * MIB))
        subprocess.run(["qemu-io", "-c", f"write -s {data} {start}M {size}M", str(self.folder / file)], check=True,
                       capture_output=True, timeout=120)
        data.unlink()

    def stack(self, count, size=4):
        """layer0.qcow2, layer1.qcow2 on it ...; each has random data, half of it where the one below has some too."""
        self.done("create", "layer0.qcow2", f"{(count + 2) * size}M")
        self.fill("layer0.qcow2", 0, size)
        for i in range(1, count):
            self.done("overlay", f"layer{i - 1}.qcow2", f"layer{i}.qcow2")
            self.fill(f"layer{i}.qcow2", i * size - size // 2, size)
        files = [self.folder / f"layer{i}.qcow2" for i in reversed(range(count))]
        return files[0], files[1:]


class Qemu:
    """A QEMU without a guest that has one disk, and a QMP socket for whoever comes."""

    def __init__(self, folder, disk, name="machine", sockets=("qmp", "own"), more=()):
        self.folder = pathlib.Path(folder)
        self.sockets = {socket_name: self.folder / f"{socket_name}.sock" for socket_name in sockets}
        # What its qemu-io finds it prints to standard output: a line at a time, to a file that is read here.
        self.printed = tempfile.TemporaryFile()
        arguments = ["stdbuf", "-oL", "qemu-system-x86_64", *more, "-name", name, "-machine", "pc,usb=off", "-m", "32", "-display", "none", "-nodefaults", "-S",
                     "-accel", "tcg", "-blockdev",
                     json.dumps({"driver": "qcow2", "node-name": "disk", "discard": "unmap",
                                 "file": {"driver": "file", "filename": str(self.folder / disk)}}),
                     "-device", "virtio-blk-pci,drive=disk,share-rw=on"]  # qemu-io writes too
        for path in self.sockets.values():
            arguments += ["-qmp", f"unix:{path},server=on,wait=off"]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=self.printed,
                                        stderr=subprocess.PIPE, text=True)
        self.stream = None
        self.read_until = 0  # of what it printed

    def __enter__(self):
        def connect():
            if self.process.poll() is not None:
                raise RuntimeError(self.process.stderr.read())
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(str(self.sockets["own"]))
                return connection
            except OSError:
                connection.close()
                return None

        self.connection = wait_for("QEMU's monitor", connect)
        self.connection.settimeout(60)
        self.stream = self.connection.makefile("rw")
        self.stream.readline()
        self.execute("qmp_capabilities")
        return self

    def __exit__(self, *_):
        self.kill()
        self.stream.close()
        self.connection.close()
        self.process.stderr.close()
        self.printed.close()
        for path in self.sockets.values():
            path.unlink(missing_ok=True)

    def kill(self):
        self.process.kill()
        self.process.wait(60)

    def execute(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            line = json.loads(self.stream.readline())
            if "return" in line:
                return line["return"]
            if "error" in line:
                raise RuntimeError(line["error"]["desc"])

    def job(self, command, **arguments):
        """Runs a command that makes a job, to its end."""
        self.execute(command, **{"job-id": "test", **arguments})
        find = lambda: next(job for job in self.execute("query-jobs") if job["id"] == "test")
        ended = wait_for(command, lambda: (job := find())["status"] == "concluded" and job)
        if "error" in ended:
            raise RuntimeError(ended["error"])
        self.execute("job-dismiss", id="test")

    def io(self, node, command):
        """qemu-io within this QEMU, as the guest would write."""
        answer = self.execute("human-monitor-command", **{"command-line": f'qemu-io {node} "{command}"'})
        answer += os.pread(self.printed.fileno(), MIB, self.read_until).decode()
        self.read_until = os.fstat(self.printed.fileno()).st_size
        if "rror" in answer or "failed" in answer or "bytes at offset" not in answer:
            raise RuntimeError(answer)

    def nodes(self):
        """The open images by the names of their files, also where QEMU calls them json:{...}."""
        return {os.path.basename(n["file"]).rstrip('"}'): n for n in self.execute("query-named-block-nodes", flat=True)
                if n["drv"] == "qcow2"}
