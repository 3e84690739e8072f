# SPDX-License-Identifier: MIT
"""The host's systemd unit as it is installed, under a real systemd in a machine of its own: what a card on a bridge needs, and that
the drop-in of docs/qemu.md gives it."""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

from pbotvm_machine import libraries_of
from pbotvm_testing import BUILD, IMAGE, TOP, Folder, clean_environment, main, program
from test_setup_guest import HERE, LANGUAGES, SYSTEM, OrdinaryMachine

HELPER = pathlib.Path("/usr/lib/qemu/qemu-bridge-helper")
PLACE = "/opt/pbotvm"  # in the machine
UNIT = "pbotvm-host.service"
# QEMU itself is not needed: the port is made before it starts.
YAML = f"""\
host: {{language: sh, plugins: [{PLACE}/plugins], languages: [{PLACE}/languages]}}
machines:
  pbot-vm:
    image: {PLACE}/image
    hypervisor: {{plugin: qemu, accel: tcg, binary: /bin/false, nics: [{{type: bridge, bridge: br-test}}]}}
    transports: [virtio-serial]
    virtio_serial: "unix:machines/pbot-vm/virtio.sock"
    serial: 0
    heart: 0
"""
SET_UP = f"""\
mkdir -p {PLACE} /etc/pbotvm /etc/qemu && cp -r /root/pbotvm/. {PLACE} && chmod -R go+rX {PLACE} &&
echo {PLACE}/lib > /etc/ld.so.conf.d/pbotvm.conf && ldconfig && useradd --system --no-create-home pbotvm &&
(getent group kvm || groupadd --system kvm) && mkdir -p {HELPER.parent} && cp {PLACE}/{HELPER.name} {HELPER} &&
cp {PLACE}/pbotvm.yaml /etc/pbotvm && cp {PLACE}/{UNIT} /etc/systemd/system && echo allow br-test > /etc/qemu/bridge.conf &&
systemctl daemon-reload && ip link add br-test type bridge && ip link set br-test up
"""


def documented_drop_in():
    return re.search(r"```ini\n(\[Service\]\n.*?)```", (TOP / "docs" / "qemu.md").read_text(), re.DOTALL).group(1)


def make_initrd(folder):
    """The image's own, with systemd to hand over to, and the host as a distribution would have installed it."""
    tree = pathlib.Path(folder, "initrd")
    ours = tree / "pbotvm"
    for path in [*(tree / name for name in ("base", "upper", "new", "dev")), *(ours / name for name in ("bin", "lib", "plugins", "image"))]:
        path.mkdir(parents=True)
    shutil.copy(HERE / "systemd-init", tree / "init")
    (tree / "init").chmod(0o755)
    plugins = [BUILD / "lib" / "pbotvm" / f"{name}.so" for name in ("hypervisor-qemu", "transport-virtio-serial", "language-shell")]
    for file in plugins:
        shutil.copy(file, ours / "plugins")
    shutil.copytree(TOP / "etc" / "languages", ours / "languages")
    host = program("pbotvm-host")
    shutil.copy(host, ours / "bin")
    shutil.copy(HELPER, ours)
    for library in {library for file in (host, *plugins, HELPER) for library in libraries_of(file)}:
        shutil.copy(library, ours / "lib")
    for name in ("vmlinuz", "initrd", "rootfs.squashfs", "image.id"):
        (ours / "image" / name).write_text("stands for it\n")
    (ours / "pbotvm.yaml").write_text(YAML)
    unit = (TOP / "etc" / "systemd" / UNIT).read_text()
    (ours / UNIT).write_text(unit.replace("@PBOTVM_BINDIR@", f"{PLACE}/bin").replace("@PBOTVM_DOCDIR@", "/usr/share/doc/pbotvm"))
    names = subprocess.run(["find", ".", "-print0"], cwd=tree, check=True, capture_output=True).stdout
    made = subprocess.run(["cpio", "--quiet", "-0", "-o", "-H", "newc", "-R", "0:0"], cwd=tree, input=names, check=True,
                          capture_output=True).stdout
    path = pathlib.Path(folder, "initrd.img")
    path.write_bytes((IMAGE / "initrd").read_bytes() + made)
    return path


@unittest.skipUnless(HELPER.exists(), "there is no qemu-bridge-helper in Debian's place")
class NetworkOfTheService(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        subprocess.run([HERE / "debian-with-systemd", SYSTEM, IMAGE, LANGUAGES], check=True, stdin=subprocess.DEVNULL,
                       env=clean_environment())
        cls.vm = OrdinaryMachine(cls.folder, make_initrd(cls.folder))
        cls.addClassCleanup(cls.vm.stop)

    def tell(self, command, seconds=120):
        """Runs a command that must succeed."""
        status, text = self.vm.run(command, seconds)
        self.assertEqual(status, 0, f"{command}: {text}")
        return text.strip()

    def ports(self):
        return self.tell("ip -o link show master br-test | wc -l")

    def test_1_without_the_drop_in_it_says_what_is_missing(self):
        self.tell(SET_UP.replace("\n", " "))
        self.assertNotEqual(self.vm.run(f"systemctl start {UNIT}", 120)[0], 0)
        self.tell(f"systemctl stop {UNIT}")
        said = self.tell(f"journalctl -q -o cat -u {UNIT}")
        self.assertIn("cannot make a port of the bridge 'br-test'", said)
        self.assertIn("AmbientCapabilities=CAP_NET_ADMIN", said)

    def test_2_with_the_drop_in_it_makes_the_port_and_keeps_no_right(self):
        folder = f"/etc/systemd/system/{UNIT}.d"
        lines = " ".join(f"'{line}'" for line in documented_drop_in().splitlines())
        self.tell(f"mkdir -p {folder} && printf '%s\\n' {lines} > {folder}/bridge.conf && systemctl daemon-reload")
        self.tell(f"systemctl start {UNIT} || {{ journalctl -q -o cat -u {UNIT} | tail -n 20; false; }}")
        self.assertEqual(self.ports(), "1")
        status = self.tell(f"cat /proc/$(systemctl show -P MainPID {UNIT})/status")
        threads = self.tell(f"cat /proc/$(systemctl show -P MainPID {UNIT})/task/*/status")
        self.assertRegex(threads, r"(?m)^CapEff:\s+0+$")
        self.assertNotRegex(threads, r"(?m)^Cap(Inh|Prm|Eff|Amb):\s+0*[1-9a-f]")
        self.assertRegex(status, r"(?m)^NoNewPrivs:\s+1$")
        self.assertNotRegex(status, r"(?m)^Uid:\s.*\b0\b")

    def test_3_the_port_goes_with_the_service(self):
        self.tell(f"systemctl stop {UNIT}")
        self.assertEqual(self.ports(), "0")


if __name__ == "__main__":
    main()
