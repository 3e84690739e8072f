# SPDX-License-Identifier: MIT
"""Each transport reaches the guest, over TCP and over Unix sockets, falls back as it should, and outlives what happens to
either end. vsock: test_vsock.py."""

import contextlib
import os
import re
import signal
import socket
import struct
import threading
import zlib

from pbotvm_json import JsonClient
from pbotvm_machine import BareMachine, VirtualMachine
from pbotvm_testing import Folder, Host, free_port, main, wait_for

# Prints distinctive lines until somebody ends it.
TALKATIVE = "-lang=sh i=0; while :; do i=$((i+1)); echo OLD-$i-OLD; sleep 0.01; done"


TRANSPORTS = ("virtio-serial", "serial")


class NothingOld:
    def assert_nothing_old(self, host=None):
        """No byte of what an earlier conversation was about is in a later reply."""
        for n in range(5):
            self.assertEqual((host or self.host).ask(f"-lang=sh echo new-{n}; echo new >&2"), f"new\n new-{n}")


class Everything(NothingOld):
    settings = {"PBOTVM_TIMEOUT": 8, "PBOTVM_QUEUE_TIMEOUT": 60}

    def test_runs_jobs_and_survives_reverts(self):
        self.assertEqual(self.host.machine()["transport"], self.expected)
        for _ in range(2):
            self.assert_works()
            self.assertEqual(self.host.ask("-lang=sh cat; echo err >&2 -stdin in"), "err\n in")
            self.assertEqual(len(self.host.ask("-lang=sh head -c 30000 /dev/zero | tr '\\0' x")), 30000)
            self.assertTrue(self.host.control("revert", machine="pbot-vm")["ok"])
        self.assertEqual(self.host.machine()["transport"], self.expected)

    def test_a_revert_after_a_job_that_was_cut_off_leaves_nothing_of_it(self):
        reverts = self.reverts()
        reply = self.host.ask(TALKATIVE)
        self.assertTrue(reply.startswith("OLD-1-OLD"), reply[:200])
        self.assertTrue(reply.endswith("[Timed-out]"), reply[-200:])
        self.assert_nothing_old()
        self.assertEqual(self.reverts(), reverts + 1)

    def test_a_revert_in_the_middle_of_a_job_leaves_nothing_of_it(self):
        reverts = self.reverts()
        with JsonClient(self.host, TALKATIVE) as talking:
            talking.await_text("OLD-1-OLD\n")
            console = self.console()
            console.type("")
            console.type("pkill -STOP -x pbotvm-guest; echo stopped $?")
            console.expect(rb"stopped 0")
            console.close()
            reply = talking.rest()[-1]["reply"]
        self.assertRegex(reply, r"\AOLD-1-OLD\n(?s:.*)(\[Timed-out\]|unavailable)")
        self.assert_nothing_old()
        self.assertGreater(self.reverts(), reverts)


class SerialOverTcp(Everything, VirtualMachine):
    transports = "serial"
    expected = "serial"

    @classmethod
    def setUpClass(cls):
        cls.serial, cls.heart = str(free_port()), str(free_port())
        super().setUpClass()


class SerialOverUnixSocket(Everything, VirtualMachine):
    transports = "serial"
    expected = "serial"


class VirtioSerial(Everything, VirtualMachine):
    transports = "vsock, virtio-serial, serial"
    expected = "virtio-serial"
    # Not this system's own VM sockets, whatever they are.
    settings = {**Everything.settings, "PBOTVM_CID": 0}


NONE_YAML = """\
default_machine: main
machines:
  main:
    hypervisor: none
    transports: [{transport}]
    serial: "unix:{folder}/serial.sock"
    virtio_serial: "unix:{folder}/virtio.sock"
    heart: "unix:{folder}/heart.sock"
"""


class SomebodyElsesMachine(NothingOld, Folder):
    """A machine that runs on, whatever happens to the host."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.machine = BareMachine(cls.folder)
        cls.addClassCleanup(cls.machine.stop)
        cls.machine.start()
        cls.guest_command = cls.machine.console.run("tr '\\0' ' ' < /proc/$(pgrep -ox pbotvm-guest)/cmdline")

    def host(self, transport):
        folder = os.path.join(self.folder, f"host{len(os.listdir(self.folder))}")
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        yaml = NONE_YAML.format(transport=transport, folder=self.folder)
        host = Host(folder, {"PBOTVM_TIMEOUT": 20, "PBOTVM_QUEUE_TIMEOUT": 60}, yaml)
        self.addCleanup(host.stop)
        return host.start()

    def line(self, transport):
        """A client of the line that is not the host: it is served, or waits in the backlog behind who is."""
        name = {"serial": "serial", "virtio-serial": "virtio"}[transport]
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(os.path.join(self.folder, name + ".sock"))
        return client

    def begin_talkative_job(self, host):
        """A client in a thread of its own, and where its reply will be."""
        said = []

        def client():
            with contextlib.suppress(OSError):
                said.append(host.send(TALKATIVE).decode())

        thread = threading.Thread(target=client)
        thread.start()
        wait_for("the job", lambda: host.machine()["state"] == "leased")
        return thread, said

    def test_outlives_restarts_of_the_host_in_the_middle_of_a_job(self):
        for transport in TRANSPORTS:
            host = self.host(transport).await_state("ready")
            for number in (signal.SIGKILL, signal.SIGTERM):
                thread, _ = self.begin_talkative_job(host)
                host.process.send_signal(number)
                host.process.wait(30)
                thread.join()
                host.start()
                host.await_state("ready")
                self.assertEqual(host.machine()["transport"], transport)
                self.assert_nothing_old(host)
            host.stop()

    def test_outlives_a_restart_of_the_guest_program_in_the_middle_of_a_job(self):
        for transport in TRANSPORTS:
            host = self.host(transport).await_state("ready")
            thread, said = self.begin_talkative_job(host)
            self.machine.console.run("pkill -9 -x pbotvm-guest")
            self.machine.console.run(f"setsid {self.guest_command} </dev/null >/dev/kmsg 2>&1 &")
            thread.join()
            self.assertRegex(said[0], r"unavailable|OLD")
            self.assert_nothing_old(host)
            host.stop()

    def test_a_second_client_waits_in_the_backlog_and_is_in_nobodys_way(self):
        for transport in TRANSPORTS:
            host = self.host(transport).await_state("ready")
            second = self.line(transport)
            second.sendall(b'{"lang":"sh","code":"echo SECOND')
            self.assert_nothing_old(host)
            # The host ends, and what it left half done is followed by what the second client wrote.
            thread, _ = self.begin_talkative_job(host)
            host.process.kill()
            host.process.wait()
            thread.join()
            second.sendall(b' SECOND"')
            second.close()
            host.start()
            host.await_state("ready", 90)
            self.assert_nothing_old(host)
            host.stop()

    def test_says_that_somebody_else_has_the_line_and_goes_on_when_it_is_free(self):
        for transport in TRANSPORTS:
            somebody = self.line(transport)
            host = self.host(transport)
            host.await_log("the guest does not answer; trying again", 90)
            self.assertNotEqual(host.machine()["state"], "ready")
            somebody.sendall(b"OLD-OLD-OLD\n")
            somebody.close()
            host.await_state("ready", 90)
            self.assert_nothing_old(host)
            host.stop()

    def test_a_frame_that_was_cut_off_is_followed_by_no_other_ones_bytes(self):
        for transport in TRANSPORTS:
            first = self.line(transport)
            header = struct.pack("<4sBBHIIQ", b"\xfePVM", 1, 1, 0, 0, 30000, 4711)  # docs/protocol.md, 2: a hello
            first.sendall(header + struct.pack("<II", zlib.crc32(header), 1) + b'{"text": "OLD')
            first.close()
            host = self.host(transport).await_state("ready", 90)
            self.assert_nothing_old(host)
            host.stop()


if __name__ == "__main__":
    main()
