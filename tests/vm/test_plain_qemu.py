# SPDX-License-Identifier: MIT
"""A machine that is started with plain QEMU and the lines that `pbotvm devices ... --qemu` prints, reached by vm-exec: the
guide's way, before any host runs."""

import os
import shlex
import subprocess

from pbotvm_testing import BUILD, IMAGE, TOP, Folder, clean_environment, free_port, main, program

QEMU = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "768", "-smp", "1", "-nodefaults",
        "-display", "none", "-no-reboot", "-nic", "none", "-kernel", f"{IMAGE}/vmlinuz", "-initrd", f"{IMAGE}/initrd",
        "-append", "console=ttyS0 loglevel=3 panic=-1 nowatchdog norandmaps",
        "-blockdev", f"driver=file,node-name=file,filename={IMAGE}/rootfs.squashfs,read-only=on,locking=off",
        "-blockdev", "driver=raw,node-name=rootfs,file=file,read-only=on", "-device", "virtio-blk-pci,drive=rootfs",
        "-object", "rng-builtin,id=rng0", "-device", "virtio-rng-pci,rng=rng0"]


class PlainQemu(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.environment = clean_environment(
            PBOTVM_SERIAL=free_port(), PBOTVM_HEART=free_port(), PBOTVM_STATE=cls.folder,
            PBOTVM_VIRTIO_SERIAL="unix:" + os.path.join(cls.folder, "virtio.sock"),
            PBOTVM_PLUGINS=BUILD / "lib" / "pbotvm", PBOTVM_LANGUAGES=TOP / "etc" / "languages")
        lines = [word for command in ("add-serials", "add-virtio-serial")
                 for word in shlex.split(cls.command("pbotvm", "devices", command, "--qemu").stdout)]
        with open(os.path.join(cls.folder, "qemu.log"), "ab") as log:
            cls.qemu = subprocess.Popen(QEMU + lines, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        cls.addClassCleanup(cls.qemu.wait, 60)
        cls.addClassCleanup(cls.qemu.terminate)

    @classmethod
    def command(cls, *words, **changes):
        environment = {**cls.environment, **changes}
        return subprocess.run([program(words[0]), *words[1:]], env=environment, timeout=240, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL)

    def vm_exec(self, transport, *words):
        # A machine that boots on a busy system may take longer than one vm-exec waits.
        for _ in range(6):
            ended = self.command("vm-exec", *words, PBOTVM_TRANSPORTS=transport)
            if ended.returncode != 69:
                break
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def test_guest_answers_on_the_lines_that_were_printed(self):
        self.assertEqual(self.vm_exec("serial", "-lang=sh", "echo", "hello", "world"), "hello world\n")
        self.assertEqual(self.vm_exec("virtio-serial", "-lang=sh", "echo", "hello", "world"), "hello world\n")
        self.assertEqual(self.vm_exec("serial", "-lang=c11", 'printf("%s\\n", "compiled");'), "compiled\n")
        self.assertEqual(self.vm_exec("virtio-serial", "-lang=python3", "print(6*7)"), "42\n")


if __name__ == "__main__":
    main()
