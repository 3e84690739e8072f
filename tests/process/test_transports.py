# SPDX-License-Identifier: MIT
"""A line between the real host and the real guest program that behaves as QEMU's do: one client at a time, the others wait
in the backlog, the guest's end stays. Here it can also bring back bytes of earlier conversations, which a real one does
only when it is unlucky."""

import contextlib
import os
import re
import select
import signal
import socket
import threading

from pbotvm_testing import Folder, Guest, Host, main, wait_for

YAML = """\
default_machine: main
machines:
  main:
    hypervisor: none
    transports: [{transports}]
    serial: {serial}
    virtio_serial: "unix:{virtio}"
    heart: 0
"""
TALKATIVE = "-lang=sh i=0; while :; do i=$((i+1)); echo OLD-$i-OLD; sleep 0.01; done"


class Line:
    """From the Unix socket `path` to that of the guest program. `to_host` and `to_guest` are all bytes that went by."""

    def __init__(self, path, guest):
        self.to_host = self.to_guest = b""
        self.replay_to_host = self.replay_to_guest = b""  # sent first to whoever is served next
        self.served = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen(1)
        self.guest = socket.socket(socket.AF_UNIX)
        self.guest.connect(guest)
        self.ending, self.end = socket.socketpair()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        client = None
        with contextlib.suppress(OSError):
            while True:
                ready, _, _ = select.select([self.ending, self.guest, client or self.listener], [], [])
                if self.ending in ready:
                    break
                if self.listener in ready and client is None:
                    client = self.accept()
                    continue
                if self.guest in ready:
                    self.pass_on(self.guest.recv(65536), client)
                if client in ready:
                    client = self.take(client)
        if client:
            client.close()
        self.listener.close()
        self.guest.close()

    def accept(self):
        client, _ = self.listener.accept()
        self.served += 1
        self.guest.sendall(self.replay_to_guest)
        if self.replay_to_host:
            client.sendall(self.replay_to_host)
        self.replay_to_host = self.replay_to_guest = b""
        return client

    def pass_on(self, data, client):
        if not data:
            raise OSError("the guest program is gone")
        self.to_host += data
        if client:  # what nobody listens to is lost
            with contextlib.suppress(OSError):
                client.sendall(data)

    def take(self, client):
        """The client, None when it has gone."""
        with contextlib.suppress(OSError):
            data = client.recv(65536)
            if data:
                self.to_guest += data
                self.guest.sendall(data)
                return client
        client.close()
        return None

    def stop(self):
        self.end.close()
        self.thread.join(60)
        self.ending.close()


class Transports(Folder):
    def setUp(self):
        self.guest = Guest(self.make_folder())
        self.addCleanup(self.guest.stop)
        self.path = os.path.join(self.make_folder(), "line.sock")
        self.line = Line(self.path, self.guest.data)
        self.addCleanup(self.line.stop)

    def make_folder(self):
        folder = os.path.join(self.folder, f"{self._testMethodName[:30]}-{len(os.listdir(self.folder))}")
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        return folder

    def host(self, transports="virtio-serial", serial="0", virtio=None):
        yaml = YAML.format(transports=transports, serial=serial, virtio=virtio or self.path)
        host = Host(self.make_folder(), {"PBOTVM_TIMEOUT": 20, "PBOTVM_QUEUE_TIMEOUT": 30}, yaml)
        self.addCleanup(host.stop)
        return host.start()

    def restart_in_the_middle_of_a_job(self, host, number):
        def client():
            with contextlib.suppress(OSError):
                host.send(TALKATIVE)

        thread = threading.Thread(target=client)
        thread.start()
        wait_for("output of the job", lambda: b"OLD-3-OLD" in self.line.to_host)
        host.process.send_signal(number)
        host.process.wait(30)
        thread.join()
        host.start()

    def assert_nothing_old(self, host):
        for n in range(10):
            self.assertEqual(host.ask(f"-lang=sh echo new-{n}"), f"new-{n}")

    def test_outlives_restarts_of_the_host_in_the_middle_of_a_job(self):
        host = self.host().await_state("ready")
        for number in (signal.SIGKILL, signal.SIGTERM):
            self.line.to_host = b""
            self.restart_in_the_middle_of_a_job(host, number)
            host.await_state("ready")
            self.assert_nothing_old(host)

    def test_takes_nothing_that_a_line_brings_back_from_an_earlier_conversation(self):
        host = self.host().await_state("ready")
        self.assertEqual(host.ask("-lang=sh echo EARLIER"), "EARLIER")
        self.assertIn(b"EARLIER", self.line.to_host)
        self.line.replay_to_host = self.line.to_host  # a welcome, results and all
        self.line.replay_to_guest = self.line.to_guest  # a hello and a job
        self.restart_in_the_middle_of_a_job(host, signal.SIGKILL)
        host.await_state("ready")
        # A busy host may give a conversation up and connect again, after a pause; not again and again.
        self.assertIn(self.line.served, range(2, 8))
        self.assert_nothing_old(host)

    def test_takes_nothing_of_half_a_frame_that_an_earlier_client_left(self):
        host = self.host().await_state("ready")
        self.assertEqual(host.ask("-lang=sh echo EARLIER"), "EARLIER")
        job = self.line.to_guest
        self.assertEqual(host.stop(), 0)
        for cut in (len(job) // 3, len(job) - 5, 40):
            self.line.replay_to_guest = job[-cut:] + job[:cut]
            self.line.replay_to_host = self.line.to_host[-cut:]
            host.start()
            host.await_state("ready")
            self.assert_nothing_old(host)
            self.assertEqual(host.stop(), 0)

    def test_a_second_host_waits_for_the_line_says_so_and_goes_on_when_it_is_free(self):
        first = self.host().await_state("ready")
        second = self.host()
        second.await_log("the guest does not answer; trying again")
        self.assertEqual(first.ask("-lang=sh echo first"), "first")
        self.assertEqual(first.stop(), 0)
        second.await_state("ready")
        self.assert_nothing_old(second)

    def test_goes_on_with_another_transport_where_nobody_listens_and_says_so_once(self):
        host = self.host("virtio-serial, serial", f'"unix:{self.path}"', os.path.join(self.folder, "nobody.sock"))
        host.await_state("ready")
        self.assertEqual(host.machine()["transport"], "serial")
        self.assert_nothing_old(host)
        said = re.findall(r"transport virtio-serial does not work: .*; using serial", host.log())
        self.assertEqual(len(said), 1, host.log())

    def test_goes_on_with_another_transport_where_nobody_answers(self):
        mute = os.path.join(self.folder, "mute.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(mute)
            os.chmod(mute, 0o777)
            listener.listen(1)
            host = self.host("virtio-serial, serial", f'"unix:{self.path}"', mute).await_state("ready")
            self.assertEqual(host.machine()["transport"], "serial")
            answered = float(re.search(r"answers over serial after ([\d.]+) s", host.log()).group(1))
            print(f"fell back from a silent line within {answered} s")
            self.assertLess(answered, 30)
            self.assert_nothing_old(host)


if __name__ == "__main__":
    main()
