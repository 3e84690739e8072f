# SPDX-License-Identifier: MIT
"""VM sockets, without going near this system's own: host and guest program run inside a machine that has vsock_loopback,
tests/vm/inside/vsock_loopback.py."""

from pbotvm_inside import DISK, InsideTest
from pbotvm_testing import main


class Loopback(InsideTest):
    kernel_modules = ["vsock_loopback"]

    def test_host_and_guest_program_over_vsock(self):
        self.run_inside(f"python3 {DISK}/tests/vm/inside/vsock_loopback.py", 240)


if __name__ == "__main__":
    main()
