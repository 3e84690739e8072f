# SPDX-License-Identifier: MIT
"""Each transport reaches the guest, over TCP and over Unix sockets, and falls back as it should."""

from pbotvm_machine import VirtualMachine
from pbotvm_testing import free_port, main


class Everything:
    def test_runs_jobs_and_survives_reverts(self):
        self.assertEqual(self.host.machine()["transport"], self.expected)
        for _ in range(2):
            self.assert_works()
            self.assertEqual(self.host.ask("-lang=sh cat; echo err >&2 -stdin in"), "err\n in")
            self.assertEqual(len(self.host.ask("-lang=sh head -c 30000 /dev/zero | tr '\\0' x")), 30000)
            self.assertTrue(self.host.control("revert", machine="pbot-vm")["ok"])


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


if __name__ == "__main__":
    main()
