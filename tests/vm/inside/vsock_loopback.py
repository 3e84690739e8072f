# SPDX-License-Identifier: MIT
"""Runs inside a machine, by tests/vm/test_vsock.py: the real host and the real guest program, over vsock to this very
machine (context id 1)."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

from pbotvm_testing import Folder, Guest, Host, clean_environment, main, program, read_all, wait_for

YAML = """\
default_machine: main
machines:
  main:
    hypervisor: none
    transports: [{transports}]
    cid: {cid}
    vport: {port}
    serial: 0
    virtio_serial: "unix:{data}"
    heart: "{heart}"
"""
LOCAL = 1  # VMADDR_CID_LOCAL
PORT = 5555  # where machine-init's guest program listens

# Distinctive lines, for as long as nobody ends it.
TALKATIVE = "-lang=sh i=0; while :; do i=$((i+1)); echo OLD-$i-OLD; sleep 0.01; done"


class VsockGuest(Guest):
    """A guest program with its containment whole, on vsock and on a Unix socket."""

    def __init__(self, folder, vsock=None):
        self.vsock = vsock
        super().__init__(folder)

    def start(self):
        for path in (self.data, self.heart):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        os.makedirs(self.work, exist_ok=True)
        os.chmod(self.work, 0o755)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [program("pbotvm-guest"), "--listen", "unix:" + self.data, "--heartbeat", "unix:" + self.heart,
                 "--work", self.work, *(["--vsock", str(self.vsock)] if self.vsock else [])],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=clean_environment())
        wait_for("the guest program", lambda: os.path.exists(self.data) or self.process.poll() is not None)
        for path in (self.data, self.heart):
            os.chmod(path, 0o777)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Vsock(Folder):
    def setUp(self):
        print(f"\n-- {self._testMethodName}", flush=True)
        self.begun = time.monotonic()
        self.addCleanup(lambda: print(f"   {time.monotonic() - self.begun:.1f} s", flush=True))

    def host(self, port=PORT, transports="vsock", cid=1, guest=None, start=True):
        folder = os.path.join(self.folder, f"host{len(os.listdir(self.folder))}")
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        yaml = YAML.format(port=port, transports=transports, cid=cid, data=guest.data if guest else "/nonexistent",
                           heart="unix:" + guest.heart if guest else 0)
        host = Host(folder, {"PBOTVM_QUEUE_TIMEOUT": 120}, yaml)
        if start:
            host.start()
            self.addCleanup(host.stop)
            host.await_state("ready")
        return host

    def guest(self, vsock=None):
        folder = os.path.join(self.folder, f"guest{len(os.listdir(self.folder))}")
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        guest = VsockGuest(folder, vsock)
        self.addCleanup(guest.stop)
        return guest

    def assert_nothing_old(self, host):
        for n in range(5):
            self.assertEqual(host.ask(f"-lang=sh echo new-{n}"), f"new-{n}")

    def test_1_reaches_the_guest_program_that_the_machine_starts(self):
        host = self.host()
        self.assertEqual(host.ask("-lang=sh echo hello"), "hello")
        self.assertEqual(host.machine()["transport"], "vsock")
        self.assertIn("answers over vsock", host.log())
        self.assertEqual(host.ask("-lang=sh head -c 200000 /dev/zero | tr '\\0' x"), "x" * 200000)

    def test_2_serves_many_connections_at_once_in_both_dialects(self):
        host = self.host()

        def as_pbot(n):
            with socket.socket(socket.AF_VSOCK) as s:
                s.settimeout(60)
                s.connect((LOCAL, PORT))
                request = json.dumps({"lang": "sh", "sourcefile": "prog.sh", "execfile": "prog.sh", "cmdline": "sh prog.sh",
                                      "input": "", "date": int(time.time()), "arguments": "", "code": f"echo pbot-{n}"})
                s.sendall(request.encode() + b"\n\n")
                said = b""
                while b"result:end" not in said:
                    piece = s.recv(4096)
                    if not piece:
                        break
                    said += piece
                return said

        with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(12) as pool:
            for _ in range(16):  # that say nothing are in nobody's way
                stack.enter_context(socket.socket(socket.AF_VSOCK)).connect((LOCAL, PORT))
            through_host = [pool.submit(host.ask, f"-lang=sh echo host-{n}") for n in range(6)]
            straight = [pool.submit(as_pbot, n) for n in range(6)]
            self.assertEqual([f.result() for f in through_host], [f"host-{n}" for n in range(6)])
            for n, said in enumerate(f.result() for f in straight):
                self.assertEqual([json.loads(m)["result"].strip() for m in re.findall(rb"result:(\{.*\})", said)],
                                 [f"pbot-{n}"], said)

    def test_3_goes_on_with_another_transport_at_once_where_nobody_listens_and_says_so_once(self):
        guest = self.guest()
        host = self.host(6001, "vsock, virtio-serial", guest=guest)  # nobody listens there
        self.assertEqual(host.machine()["transport"], "virtio-serial")
        answered = float(re.search(r"answers over virtio-serial after ([\d.]+) s", host.log()).group(1))
        print(f"   fell back from vsock within {answered} s")
        self.assertNotRegex(host.log(), r"transport vsock .*does not answer")  # nothing was waited for
        self.assertEqual(len(re.findall(r"transport vsock does not work: .*; using virtio-serial", host.log())), 1, host.log())
        self.assertIn("nothing in it listens on this port", host.log())
        self.assertEqual(host.ask("-lang=sh echo hello"), "hello")

    def test_3_goes_on_when_somebody_listens_who_does_not_answer(self):
        with socket.socket(socket.AF_VSOCK) as mute:
            mute.bind((socket.VMADDR_CID_ANY, 6006))
            mute.listen()
            host = self.host(6006, "vsock, virtio-serial", guest=self.guest())
            self.assertEqual(host.machine()["transport"], "virtio-serial")
            answered = float(re.search(r"answers over virtio-serial after ([\d.]+) s", host.log()).group(1))
            print(f"   fell back from a silent vsock port within {answered} s")
            self.assertLess(answered, 30)
            self.assertEqual(len(re.findall(r"transport vsock does not work: .*the guest does not answer", host.log())), 1)

    def test_4_is_turned_off_by_cid_0(self):
        guest = self.guest(6002)
        host = self.host(6002, "vsock, virtio-serial", cid=0, guest=guest)
        self.assertEqual(host.machine()["transport"], "virtio-serial")
        self.assertIn("transport vsock is passed over: its cid is 0", host.log())
        alone = self.host(6002, "vsock", cid=0, guest=guest, start=False).start()
        self.assertEqual(alone.process.wait(30), 78, alone.log())
        self.assertIn("is turned off by its cid", alone.log())

    def test_5_says_what_is_wrong_with_a_context_id_that_nobody_has(self):
        guest = self.guest()
        device = pathlib.Path("/dev/vhost-vsock")  # without it a context id other than 1 would not be tried
        device.touch()
        self.addCleanup(device.unlink)
        host = self.host(6002, "vsock, virtio-serial", cid=99, guest=guest)
        self.assertEqual(host.machine()["transport"], "virtio-serial")
        self.assertRegex(host.log(), r"connect to vsock 99:6002: No such device; no running machine has this context id")

    def test_6_outlives_restarts_of_the_guest_program(self):
        guest = self.guest(6003)
        host = self.host(6003, guest=guest)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            talking = pool.submit(host.ask, TALKATIVE)
            wait_for("the job", lambda: host.machine()["state"] == "leased")
            guest.kill()
            reply = talking.result()
        self.assertRegex(reply, r"Virtual machine 'main' is unavailable|\A\Z|OLD")
        guest.start()
        host.await_state("ready")
        self.assert_nothing_old(host)

    def test_7_outlives_restarts_of_the_host(self):
        guest = self.guest(6004)
        host = self.host(6004, guest=guest)
        for number in (signal.SIGKILL, signal.SIGTERM):
            said = []

            def client():
                with contextlib.suppress(OSError):
                    said.append(host.send(TALKATIVE))

            thread = threading.Thread(target=client)
            thread.start()
            wait_for("the job", lambda: host.machine()["state"] == "leased")
            host.process.send_signal(number)
            host.process.wait(30)
            thread.join()
            host.start()
            host.await_state("ready")
            self.assert_nothing_old(host)

    def test_8_leaves_other_hosts_of_the_same_guest_alone(self):
        guest = self.guest(6005)
        one, other = self.host(6005, guest=guest), self.host(6005)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            slow = pool.submit(one.ask, "-lang=sh sleep 1; echo slow")
            wait_for("the job", lambda: one.machine()["state"] == "leased")
            self.assertEqual(other.ask("-lang=sh echo quick"), "quick")
            self.assertEqual(slow.result(), "slow")


if __name__ == "__main__":
    main()
