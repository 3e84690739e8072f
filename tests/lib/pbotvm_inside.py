# SPDX-License-Identifier: MIT
"""Tests that run inside a machine: what they need is brought on its second disk, and what they say comes back over its
report line."""

import os
import pathlib
import shutil

from pbotvm_machine import BareMachine, payload
from pbotvm_testing import BUILD, IMAGE, TOP, Folder

HOST = BUILD / "bin" / "pbotvm-host"
GUEST = BUILD / "bin" / "pbotvm-guest"
DISK = "/payload"
SET_UP = f"""\
mkdir -p {DISK} && mount -t squashfs -o ro /dev/vdb {DISK} &&
echo {DISK}/lib > /etc/ld.so.conf.d/payload.conf && ldconfig &&
echo pbotvm:x:990:990::/:/usr/sbin/nologin >> /etc/passwd && echo pbotvm:x:990: >> /etc/group &&
export PBOTVM_TEST_BUILD={DISK}/build PYTHONPATH={DISK}/tests/lib PYTHONDONTWRITEBYTECODE=1 PATH={DISK}/build/bin:$PATH
"""


def modules(*names):
    """(source, path on the disk) of kernel modules that the image does not load by itself."""
    found = []
    for name in names:
        [file] = (IMAGE / "modules" / "kernel").rglob(name + ".ko")
        found.append((file, f"modules/{name}.ko"))
    return found


class InsideTest(Folder):
    """Boots a machine with a disk that holds this build, the test library and `trees`, and loads `kernel_modules`."""

    memory = 768
    cpus = 1
    kernel_modules = ()
    programs = ()
    trees = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        trees = [(BUILD / "lib" / "pbotvm", "build/lib/pbotvm"), (TOP / "etc" / "languages", "etc/languages"),
                 (TOP / "tests" / "lib", "tests/lib"), (TOP / "tests" / "vm" / "inside", "tests/vm/inside"),
                 *((program, f"build/bin/{program.name}") for program in (HOST, GUEST)), *modules(*cls.kernel_modules),
                 (shutil.which("busybox"), "bin/busybox"), *cls.trees]
        plugins = list((BUILD / "lib" / "pbotvm").glob("*.so"))
        disk = payload(os.path.join(cls.folder, "payload"), trees, [HOST, *plugins, *cls.programs])
        cls.machine = BareMachine(cls.folder, disk, cls.memory, cls.cpus)
        cls.addClassCleanup(cls.machine.stop)
        cls.console = cls.machine.start().console
        cls.console.run(SET_UP.replace("\n", " "))
        for name in cls.kernel_modules:
            cls.console.run(f"{DISK}/bin/busybox insmod {DISK}/modules/{name}.ko")

    def run_inside(self, command, seconds):
        """Runs a command with its output on the report line; fails with that output unless its status is 0."""
        before = os.path.getsize(self.machine.report)
        try:
            self.console.run(f"{command} </dev/null >/dev/ttyS1 2>&1", seconds)
        except (RuntimeError, TimeoutError) as error:
            self.fail(f"{error}\n{self.report(before)}")
        finally:
            print(self.report(before), flush=True)

    def report(self, begin=0):
        return pathlib.Path(self.machine.report).read_bytes()[begin:].decode(errors="replace").replace("\r\n", "\n")

