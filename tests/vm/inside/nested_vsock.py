# SPDX-License-Identifier: MIT
"""Runs inside a machine that has vhost_vsock, by tests/nested/test_nested_vsock.py: the real host starts the real image,
with a vsock device of its own."""

import fcntl
import os
import pathlib
import shutil
import struct
import time

from pbotvm_testing import BUILD, Folder, Host, main

CID = 7
SET_GUEST_CID = 0x4008AF60  # VHOST_VSOCK_SET_GUEST_CID, see the kernel's include/uapi/linux/vhost.h
DEVICE = "/dev/vhost-vsock"
# Compilers are not tried here: emulated twice they take minutes.
PLUGINS = ["hypervisor-qemu", "transport-vsock", "transport-virtio-serial", "transport-heartbeat", "language-shell"]
MOST = 900  # seconds from power-on to ready; a quiet system needs 150
YAML = """\
default_machine: main
host: {{language: sh}}
machines:
  main:
    hypervisor: {{plugin: qemu, accel: tcg, memory: 256 MiB}}
    image: {image}
    transports: [{transports}]
    cid: {cid}
    slots: 1
    serial: 0
    heart: "unix:machines/main/heart.sock"
"""


class Nested(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plugins = os.path.join(cls.folder, "plugins")
        os.makedirs(cls.plugins)
        for name in PLUGINS:
            shutil.copy(BUILD / "lib" / "pbotvm" / (name + ".so"), cls.plugins)
        # As udev has it on Debian: the host's user is in that group from its start.
        with open("/etc/group", "a") as groups:
            groups.write("kvm:x:991:\n")
        os.chown(DEVICE, 0, 991)
        os.chmod(DEVICE, 0o660)

    def host(self, transports, cid=CID):
        folder = os.path.join(self.folder, f"host{len(os.listdir(self.folder))}")
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        yaml = YAML.format(image=BUILD.parent / "image", transports=transports, cid=cid)
        host = Host(folder, {"PBOTVM_PLUGINS": self.plugins, "PBOTVM_TIMEOUT": 60, "PBOTVM_QUEUE_TIMEOUT": 300}, yaml)
        self.addCleanup(lambda: print(host.log(), flush=True))
        self.addCleanup(host.stop)
        return host.start()

    def test_1_says_that_another_machine_has_the_context_id(self):
        with open(DEVICE, "r+b", buffering=0) as other:
            fcntl.ioctl(other, SET_GUEST_CID, struct.pack("Q", 8))
            host = self.host("vsock", cid=8)
            host.await_log("give machine 'main' the VM socket context id 8: another virtual machine of this system has it")

    def test_2_says_why_it_cannot_have_a_device_and_starts_without(self):
        os.chmod(DEVICE, 0o600)
        self.addCleanup(os.chmod, DEVICE, 0o660)
        host = self.host("vsock, virtio-serial")
        host.await_log("starts without a vsock device: open /dev/vhost-vsock: Permission denied; the host's user must be in")
        host.await_log("booting, QEMU", 60)  # it runs all the same

    def test_3_runs_jobs_over_vsock_and_does_so_after_a_revert(self):
        begun = time.monotonic()
        host = self.host("vsock")
        while not (os.path.exists(host.state + "/control.sock") and host.machine()["state"] == "ready"):
            time.sleep(3)  # asking costs the machine a part of its processor
            if time.monotonic() - begun > MOST:
                console = pathlib.Path(host.state, "machines", "main", "console.log")
                self.fail("the inner machine does not become ready: " + console.read_text(errors="replace"))
        print(f"   inner machine ready after {time.monotonic() - begun:.0f} s", flush=True)
        self.assertEqual(host.machine()["transport"], "vsock")
        for n in range(3):
            begun = time.monotonic()
            self.assertEqual(host.ask(f"-lang=sh echo hello {n}", 120), f"hello {n}")
            print(f"   a job over vsock 7:5555: {time.monotonic() - begun:.2f} s", flush=True)
        for n in range(2):
            answer = host.control("revert", machine="main")
            self.assertTrue(answer["ok"], answer)
            print(f"   revert to ready: {answer['seconds']:.1f} s", flush=True)
            self.assertEqual(host.ask(f"-lang=sh echo again {n}", 120), f"again {n}")
            self.assertEqual(host.machine()["transport"], "vsock")


if __name__ == "__main__":
    main()
