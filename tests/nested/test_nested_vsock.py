# SPDX-License-Identifier: MIT
"""vsock as it is in earnest, without going near this system's own: a machine that has vhost_vsock runs the host and, under
it, the real image in a QEMU of its own, tests/vm/inside/nested_vsock.py. Emulation within emulation: minutes."""

import pathlib
import shutil

from pbotvm_inside import DISK, InsideTest
from pbotvm_testing import IMAGE, main

QEMU = shutil.which("qemu-system-x86_64")
MODULES = pathlib.Path("/usr/lib/x86_64-linux-gnu/qemu")
ACCELERATORS = [str(file) for file in MODULES.glob("accel-tcg-*.so")]
FIRMWARE = ["/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/kvmvapic.bin", "/usr/share/qemu/linuxboot_dma.bin"]
FILES = [QEMU, *ACCELERATORS, *FIRMWARE]


class Nested(InsideTest):
    memory = 4096
    cpus = 2
    kernel_modules = ["vsock_loopback", "vhost_iotlb", "vhost", "vhost_vsock"]
    programs = [QEMU, *ACCELERATORS]
    trees = [*((IMAGE / name, "image/" + name) for name in ("vmlinuz", "initrd", "rootfs.squashfs", "image.id")),
             *((file, "qemu" + file) for file in FILES)]

    def test_host_starts_a_machine_with_a_vsock_device_and_runs_jobs_over_it(self):
        for file in FILES:
            self.console.run(f"mkdir -p {pathlib.Path(file).parent} && ln -sf {DISK}/qemu{file} {file}")
        self.run_inside(f"python3 {DISK}/tests/vm/inside/nested_vsock.py", 1000)


if __name__ == "__main__":
    main()
