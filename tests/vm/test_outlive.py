# SPDX-License-Identifier: MIT
"""A machine whose QEMU outlives its host (`outlive: true`): what the next host does with it."""

import contextlib
import os
import pathlib
import signal
import stat
import subprocess
import time

from pbotvm_machine import VirtualMachine, alive
from pbotvm_testing import main, wait_for

YAML = """\
machines:
  pbot-vm:
    hypervisor: {{plugin: qemu, accel: tcg, outlive: {outlive}, memory: {memory} MiB}}
    transports: [virtio-serial]
    serial: "unix:machines/pbot-vm/serial.sock"
    heart: "unix:machines/pbot-vm/heart.sock"
"""


class Outlive(VirtualMachine):
    """One folder, one host after the other."""

    settings = {"PBOTVM_QUEUE_TIMEOUT": 60}
    from_snapshot = True

    @classmethod
    def start_host(cls, folder):
        host = super().start_host(folder)  # with the usual settings: the snapshot fits what comes
        host.stop()
        cls.configure(host)
        return host

    @classmethod
    def configure(cls, host, outlive="true", memory=1024):
        pathlib.Path(host.environment["PBOTVM_CONFIG"]).write_text(YAML.format(outlive=outlive, memory=memory))

    def setUp(self):
        self.directory = pathlib.Path(self.host.state, "machines", "pbot-vm")
        self.addCleanup(self.end_left)
        self.configure(self.host)

    def end_left(self):
        """Nothing of a test is left: a host that is not to leave its machine ends what an earlier one left."""
        self.configure(self.host, outlive="false")
        if self.host.process.poll() is None:
            self.host.stop()
        if (self.directory / "qemu.pid").exists():
            self.start()
        self.host.stop()

    def start(self, seconds=180):
        begun = time.monotonic()
        self.host.start().await_state("ready", seconds)
        return time.monotonic() - begun

    def kill_host(self):
        self.host.process.send_signal(signal.SIGKILL)
        self.host.process.wait(60)

    def log_since(self, mark):
        return self.host.log()[mark:]

    def assert_taken_over(self, end):
        self.start()
        pid = self.qemu_pid()
        self.assert_works()
        self.assertEqual(self.host.ask("-lang=sh echo left >/tmp/left; cat /tmp/left"), "left")
        with contextlib.closing(self.console()) as console:
            console.run("echo left >/run/left")
        end()
        self.assertTrue(alive(pid))
        mark = len(self.host.log())
        took = self.start()
        print(f"taken over and ready after {took:.1f} s")
        self.assertEqual(self.qemu_pid(), pid)
        self.assertIn("taken over from an earlier host", self.log_since(mark))
        self.assertNotIn("booting", self.log_since(mark))
        self.assert_works()
        with contextlib.closing(self.console()) as console:
            self.assertIn("left-1", console.run("test -e /run/left; echo left-$?"))
        self.assertTrue(self.host.control("revert", machine="pbot-vm")["ok"])
        self.assert_works()
        self.assertEqual(self.qemu_pid(), pid)

    def test_host_that_is_stopped_leaves_its_machine_to_the_next(self):
        self.assert_taken_over(self.host.stop)

    def test_host_that_is_killed_leaves_its_machine_to_the_next(self):
        self.assert_taken_over(self.kill_host)

    def test_host_that_is_killed_during_a_revert_does_no_harm(self):
        self.start()
        pid = self.qemu_pid()
        request = subprocess.Popen(["python3", "-c", f"""
import socket
s = socket.socket(socket.AF_UNIX); s.connect({os.path.join(self.host.state, 'control.sock')!r})
while True:
    s.sendall(b'{{"command": "revert", "machine": "pbot-vm"}}\\n'); s.recv(4096)
    s = socket.socket(socket.AF_UNIX); s.connect({os.path.join(self.host.state, 'control.sock')!r})
"""], stderr=subprocess.DEVNULL)
        try:
            wait_for("a revert", lambda: self.reverts() > 0)
            wait_for("a revert that is under way", lambda: self.host.machine()["state"] == "reverting")
        finally:
            self.kill_host()
            request.kill()
            request.wait()
        self.assertTrue(alive(pid))
        self.start()
        self.assert_works()
        print("taken over" if self.qemu_pid() == pid else "ended, started anew")

    def test_machine_that_is_to_be_another_one_is_started_anew(self):
        self.start()
        pid = self.qemu_pid()
        self.host.stop()
        self.assertTrue(alive(pid))
        kept = self.keep_snapshot()
        self.configure(self.host, memory=768)
        mark = len(self.host.log())
        self.start(240)
        self.assertFalse(alive(pid))
        self.assertNotEqual(self.qemu_pid(), pid)
        self.assertIn(f"pid {pid}, which an earlier host left, is ended: settings", self.log_since(mark))
        self.assert_works()
        self.configure(self.host, outlive="false", memory=768)
        self.host.stop()
        self.start(240)
        self.host.stop()
        self.put_back(kept)

    def keep_snapshot(self):
        return {name: (self.directory / name).read_bytes() for name in ("snapshot.qcow2", "snapshot.stamp")}

    def put_back(self, files):
        for name, content in files.items():
            (self.directory / name).write_bytes(content)

    def test_machine_that_must_no_longer_outlive_its_host_is_ended(self):
        self.start()
        first = self.qemu_pid()
        self.host.stop()
        self.assertTrue(alive(first))
        self.configure(self.host, outlive="false")
        self.start()
        second = self.qemu_pid()
        self.assertNotEqual(second, first)
        self.assertFalse(alive(first))
        self.assertFalse((self.directory / "qemu.pid").exists())
        self.assert_works()
        self.kill_host()
        wait_for("QEMU to end with its host", lambda: not alive(second))

    def test_machine_whose_monitor_does_not_answer_is_ended(self):
        self.start()
        pid = self.qemu_pid()
        self.host.stop()
        os.kill(pid, signal.SIGSTOP)
        self.start()
        self.assertNotEqual(self.qemu_pid(), pid)
        self.assertFalse(alive(pid))
        self.assert_works()

    def test_machine_that_ended_meanwhile_is_started_from_its_snapshot(self):
        self.start()
        pid = self.qemu_pid()
        self.end_qemu()
        self.start()
        self.assertNotEqual(self.qemu_pid(), pid)
        self.assert_works()

    def test_machine_whose_process_file_is_lost_is_named_and_the_next_starts_once_it_ended(self):
        self.start()
        pid = self.qemu_pid()
        self.host.stop()
        (self.directory / "qemu.pid").unlink()
        self.addCleanup(lambda: alive(pid) and os.kill(pid, signal.SIGKILL))
        self.host.start().await_log(f"process {pid} (qemu-system")
        self.host.await_log(f"end that process: kill {pid}")
        os.kill(pid, signal.SIGTERM)
        self.host.await_state("ready", 120)
        self.assert_works()

    def test_process_that_is_another_one_is_not_touched(self):
        self.start()
        self.end_qemu()
        text = self.lines_left
        identity = next(line.split()[1] for line in text if line.startswith("identity "))
        argument = f"chardev=monitor-{identity},mode=control"
        as_daemon = ["setpriv", "--reuid", "pbotvm", "--regid", "pbotvm", "--clear-groups"] if os.geteuid() == 0 else []
        foreign = [(as_daemon + ["sh", "-c", "read x", "sh", argument], "1"), (as_daemon + ["sh", "-c", "read x"], None)]
        if as_daemon:
            foreign.append((["sh", "-c", "read x", "sh", argument], None))  # another user's than the file is
        for command, start in foreign:
            with self.subTest(command=command), subprocess.Popen(command, stdin=subprocess.PIPE) as process:
                wait_for("its arguments", lambda: b"read x" in pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[2:3])
                stat_fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
                text[0], text[2] = str(process.pid), f"started {start or stat_fields[19]}"
                (self.directory / "qemu.pid").write_text("\n".join(text))
                self.start()
                self.assertIsNone(process.poll())
                self.assertNotEqual(self.qemu_pid(), process.pid)
                self.assert_works()
                self.end_qemu()
                self.assertIsNone(process.poll())
                process.kill()

    def end_qemu(self):
        """Leaves no QEMU, but its file."""
        qemu = self.qemu_pid()
        self.host.stop()
        self.lines_left = (self.directory / "qemu.pid").read_text().split("\n")
        os.kill(qemu, signal.SIGKILL)
        wait_for("QEMU to end", lambda: not alive(qemu))

    def test_files_are_its_users_own(self):
        self.start()
        for name in ("qmp.sock", "monitor.sock"):
            self.assertEqual(stat.S_IMODE(os.stat(self.directory / name).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.directory / "qemu.pid").st_mode) & 0o007, 0)
        self.assertEqual(int((self.directory / "qemu.pid").read_text().split("\n")[0]), self.qemu_pid())


if __name__ == "__main__":
    main()
