# SPDX-License-Identifier: MIT
"""pbotvm image with the disk of a machine that a host runs, and what the host reverts the machine to afterwards."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

from pbotvm_machine import Console
from pbotvm_testing import IMAGE, Folder, Host, main, program, wait_for

MIB = 1 << 20
SIZE = 24  # MiB

YAML = """\
machines:
  pbot-vm:
    hypervisor: {{plugin: qemu, accel: tcg, disks: [{{file: {disk}}}]}}
    transports: [virtio-serial]
    serial: 0
    cid: 0
    heart: "unix:machines/pbot-vm/heart.sock"
"""


class Disk(Folder):
    """A machine of a host whose disk has three layers, each with random data in parts of it."""

    def setUp(self):
        if shutil.which("qemu-img") is None:
            self.skipTest("there is no qemu-img")
        self.folder = tempfile.mkdtemp(dir=type(self).folder)
        os.chmod(self.folder, 0o755)
        self.layers = [pathlib.Path(self.folder, f"layer{i}.qcow2") for i in range(3)]
        for i, layer in enumerate(self.layers):
            below = ["-b", self.layers[i - 1].name, "-F", "qcow2"] if i else []
            self.run_program("qemu-img", "create", "-q", "-f", "qcow2", *below, layer, *([] if i else [f"{SIZE}M"]))
            data = pathlib.Path(self.folder, "data")
            data.write_bytes(os.urandom(12 * MIB))
            self.run_program("qemu-io", "-c", f"write -s {data} {4 * i}M 12M", layer)
            if os.geteuid() == 0:
                shutil.chown(layer, "pbotvm", "pbotvm")
        # The machine needs few languages to be warm.
        languages = pathlib.Path(self.folder, "languages")
        languages.mkdir()
        self.host = Host(self.folder, {"PBOTVM_IMAGE": IMAGE, "PBOTVM_LANGUAGES": languages, "PBOTVM_QUEUE_TIMEOUT": 120},
                         YAML.format(disk=self.layers[-1]))
        self.host.start()
        self.addCleanup(self.host.stop)
        self.host.await_state("ready", 300)
        self.content = self.seen()

    def run_program(self, *words):
        return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, timeout=120)

    def begin(self, *words):
        process = subprocess.Popen([program("pbotvm"), *map(str, words)], env=self.host.environment, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: (process.kill(), process.communicate()))
        return process

    def await_progress(self, process):
        for line in iter(process.stderr.readline, ""):
            if " %" in line:
                return
        self.fail("pbotvm ended before it showed any progress")

    def pbotvm(self, *words):
        process = self.begin(*words)
        out, errors = process.communicate(timeout=240)
        return process.returncode, out, errors

    def done(self, *words):
        status, out, errors = self.pbotvm(*words)
        self.assertEqual(status, 0, errors)
        return out, errors

    def refused(self, *words):
        status, _, errors = self.pbotvm(*words)
        self.assertEqual(status, 1, errors)
        return errors

    def on_console(self, command):
        console = Console(os.path.join(self.host.state, "machines", "pbot-vm", "console.sock"))
        try:
            console.type("")
            return console.run(command, 120)
        finally:
            console.close()

    def seen(self):
        """What the machine reads from its disk now, not from its memory."""
        said = self.on_console("dd if=/dev/vdb iflag=direct bs=1M 2>/dev/null | sha256sum")
        return re.search(r"[0-9a-f]{64}", said).group(0)

    def write_a_little(self):
        self.on_console(f"dd if=/dev/zero of=/dev/vdb oflag=direct bs=1M seek=6 count=1 2>/dev/null")
        self.assertNotEqual(self.seen(), self.content)

    def assert_reverts(self):
        """The host takes the machine back, and its disk with it."""
        self.write_a_little()
        answer = self.host.control("revert", machine="pbot-vm")
        self.assertTrue(answer["ok"], answer)
        self.assertEqual(self.seen(), self.content)
        self.assertEqual(self.host.ask("-lang=sh echo works", 120), "works")

    def qemu_pid(self):
        return int(re.search(r"pid (\d+)", self.host.machine()["hypervisor"]).group(1))

    def chain(self):
        return [(layer["file"], layer["machine"], layer["holder"])
                for layer in json.loads(self.done("image", "info", self.layers[-1], "--json")[0])["chain"]]

    def snapshots(self):
        return [one["name"] for one in self.host.control("snapshot", machine="pbot-vm", action="list")["snapshots"]]


class LayersOfARunningMachine(Disk):
    def test_are_merged_and_pulled_in_and_reverts_go_on(self):
        base, middle, top = self.layers
        self.assertEqual(self.chain(), [(str(layer), "pbot-vm", "pbotvm-host") for layer in (top, middle, base)])
        qemu = self.qemu_pid()

        errors = self.refused("image", "commit", top)
        self.assertIn("then give the command again with --force", errors)

        # Another overlay on a layer between is not left without it.
        other = pathlib.Path(self.folder, "other.qcow2")
        self.run_program("qemu-img", "create", "-q", "-f", "qcow2", "-b", middle.name, "-F", "qcow2", other)
        self.assertIn(f"{other}; stream them first", self.refused("image", "commit", middle))
        self.done("image", "stream", other)
        other.unlink()

        # A layer between, with a revert in the middle of it.
        process = self.begin("image", "commit", middle, "--rate", "4M")
        self.assertIn(f"machine 'pbot-vm' of pbotvm-host has {middle} open", process.stderr.readline())
        process.stderr.readline()
        self.assertTrue(self.host.control("revert", machine="pbot-vm")["ok"])
        out, errors = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn("was merged into", out)
        self.assertEqual([layer for layer, *_ in self.chain()], [str(top), str(base)])
        middle.unlink()
        self.assertEqual(self.seen(), self.content)
        self.assert_reverts()

        # Everything: not while there are snapshots of the operator's.
        self.done("snapshot", "create", "mine")
        self.assertIn("pbotvm snapshot delete NAME pbot-vm", self.refused("image", "stream", top))
        self.assertIn("1", self.snapshots())
        self.done("snapshot", "delete", "mine")
        _, errors = self.done("image", "stream", top)
        self.assertIn("takes it anew afterwards", errors)
        self.assertEqual([layer for layer, *_ in self.chain()], [str(top)])
        base.unlink()
        self.assertEqual(self.snapshots(), ["1"])
        self.assertEqual(self.seen(), self.content)
        self.assert_reverts()
        self.assertEqual(self.qemu_pid(), qemu)

    def test_qemu_killed_in_the_middle_costs_nothing(self):
        base, middle, top = self.layers
        for words in (["commit", middle], ["stream", top]):
            qemu = self.qemu_pid()
            process = self.begin("image", *words, "--rate", "4M")
            self.await_progress(process)
            os.kill(qemu, 9)
            _, errors = process.communicate(timeout=240)
            self.assertEqual(process.returncode, 69, errors)
            wait_for("another QEMU", lambda: self.host.machine()["state"] == "ready" and self.qemu_pid() != qemu, 300)
            wait_for("a snapshot", lambda: self.snapshots() == ["1"], 60)
            self.assertEqual(self.seen(), self.content, words)
        self.assertEqual(len(self.chain()), 3)

        # Nor does pbotvm killed in the middle, and the next one has the host's snapshot taken again, however it ends.
        qemu = self.qemu_pid()
        process = self.begin("image", "stream", top, "--rate", "4M")
        self.await_progress(process)
        process.kill()
        process.wait(60)
        self.assertEqual(self.snapshots(), [])
        process = self.begin("image", "stream", top, "--rate", "4M")
        self.await_progress(process)
        process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(self.snapshots(), ["1"])
        self.assert_reverts()
        self.assertEqual(self.qemu_pid(), qemu)

        # Without one, what is to be reverted is booted.
        qemu = self.qemu_pid()
        process = self.begin("image", "stream", top, "--rate", "4M")
        self.await_progress(process)
        process.kill()
        process.wait(60)
        self.assertEqual(self.snapshots(), [])
        self.host.control("revert", machine="pbot-vm")
        wait_for("another QEMU", lambda: self.host.machine()["state"] == "ready" and self.qemu_pid() != qemu, 300)
        self.assertEqual(self.snapshots(), ["1"])
        self.assertEqual(len(self.chain()), 3)
        self.assert_reverts()

        # Off line, with what the host had in it given up; the next host takes its own again.
        self.host.stop()
        self.assertIn("1 snapshot inside", self.refused("image", "commit", top))
        self.done("image", "commit", top, "--force")
        self.host.start()
        self.host.await_state("ready", 300)
        self.assertEqual(self.seen(), self.content)
        self.assert_reverts()


if __name__ == "__main__":
    main()
