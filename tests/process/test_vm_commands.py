# SPDX-License-Identifier: MIT
"""`pbotvm vm create` and `delete` where no machine gets to run: what they would do, and what they refuse."""

import os
import pathlib
import shutil
import signal
import subprocess
import unittest

import yaml
from pbotvm_testing import BUILD, TOP, Folder, clean_environment, main, program, wait_for

IMAGE_FILES = ("vmlinuz", "initrd", "rootfs.squashfs", "image.id")


@unittest.skipIf(shutil.which("xorriso") is None, "xorriso is not installed")
class Commands(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.iso = os.path.join(cls.folder, "installer.iso")
        empty = os.path.join(cls.folder, "empty")
        os.mkdir(empty)
        pathlib.Path(empty, "readme").write_text("no installer")
        subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-o", cls.iso, empty], check=True, capture_output=True, timeout=60)
        cls.image = os.path.join(cls.folder, "image")
        os.mkdir(cls.image)
        for name in IMAGE_FILES:
            pathlib.Path(cls.image, name).write_text("x")
        cls.state = os.path.join(cls.folder, "state")
        cls.environment = clean_environment(PBOTVM_STATE=cls.state, PBOTVM_PLUGINS=BUILD / "lib" / "pbotvm")

    def pbotvm(self, *words, status=0, **changes):
        environment = {**self.environment, **{key: str(value) for key, value in changes.items()}}
        ended = subprocess.run([program("pbotvm"), *words], env=environment, timeout=120, stdin=subprocess.DEVNULL,
                               capture_output=True, text=True)
        self.assertEqual(ended.returncode, status, ended.stdout + ended.stderr)
        if status not in (0, 64):
            self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)
        return ended.stderr if status else ended.stdout

    def create(self, *words, **more):
        return self.pbotvm("vm", "create", *words, **more)

    def config(self, text):
        path = os.path.join(self.folder, self.id().rsplit(".", 1)[1] + ".yaml")
        pathlib.Path(path).write_text(text)
        return path


class Create(Commands):
    def test_wrong_usage(self):
        for words in ((), ("web",), ("web", "--iso"), ("web", "--iso", self.iso, "--image", self.image), ("--print",),
                      ("web", "--iso", self.iso, "--memory", "lots"), ("web", "--iso", self.iso, "--cpus", "0"),
                      ("web", "--iso", self.iso, "--disk-size", "0G"), ("web", "--iso", self.iso, "--console", "braille"),
                      ("web", "--iso", self.iso, "--hypervisor", "none"), ("web", "--iso", self.iso, "--network", "bridge="),
                      ("we/b", "--iso", self.iso), ("web", "more", "--iso", self.iso), ("web", "--iso", self.iso, "--fast")):
            self.create(*words, status=64)

    def test_print_shows_the_commands_and_does_nothing(self):
        disk = os.path.join(self.folder, "printed.qcow2")
        for hypervisor, expected in (("qemu", "qemu-system-x86_64 "), ("libvirt", "virt-install --connect qemu:///system ")):
            out = self.create("web", "--iso", self.iso, "--disk", disk, "--disk-size", "3G", "--hypervisor", hypervisor, "--print")
            self.assertTrue(out.startswith(f"qemu-img create -f qcow2 {disk} 3072M\n{expected}"), out)
        self.assertFalse(os.path.exists(disk))
        self.assertFalse(os.path.exists(self.state))

    def test_settings_that_are_printed_are_settings_that_a_host_takes(self):
        for number, words in enumerate((("--image", self.image), ("--image", self.image, "--memory", "512M", "--cpus", "2"),
                                        ("--image", self.image, "--network", "user"),
                                        ("--image", self.image, "--hypervisor", "libvirt"))):
            text = self.create("web", *words, "--print").split("for the host:\n\n")[1]
            self.assertIn("web", yaml.safe_load(text)["machines"])
            path = os.path.join(self.folder, f"printed-{number}.yaml")
            pathlib.Path(path).write_text(text)
            ended = subprocess.run([program("pbotvm-host"), "--config", path, "--check-config"], env=self.environment,
                                   timeout=60, capture_output=True, text=True)
            self.assertEqual(ended.returncode, 0, text + ended.stderr)

    def test_new_machine_gets_ports_and_a_context_id_that_no_other_has(self):
        path = self.config("default_machine: one\nmachines: {one: {serial: 5555, heart: 5556, cid: 7}, two: {serial: 5557, heart: 5559, "
                           "cid: 9}}\n")
        out = self.create("three", "--image", self.image, "--hypervisor", "libvirt", "--print", "--config", path)
        made = yaml.safe_load(out.split("for the host:\n\n")[1])["machines"]["three"]
        self.assertEqual((made["serial"], made["heart"], made["virtio_serial"]), (5558, 5560, 5561))
        out = self.create("three", "--image", self.image, "--print", "--config", path)
        self.assertEqual(yaml.safe_load(out.split("for the host:\n\n")[1])["machines"]["three"]["cid"], 8)

    def test_configured_machine_keeps_its_lines(self):
        path = self.config("machines: {pbot-vm: {domain: other, serial: 7777, heart: 7778, virtio_serial: 'unix:/run/lines/data.sock', "
                           "cid: 0, hypervisor: {plugin: libvirt, uri: 'qemu:///session'}}}\n")
        out = self.create("pbot-vm", "--image", self.image, "--print", "--config", path)
        for part in ("<name>other</name>", "service='7777'", "service='7778'", "path='/run/lines/data.sock'",
                     "virsh -c qemu:///session define", "<panic model='isa'/>", "<rng model='virtio'>"):
            self.assertIn(part, out)

    def test_nothing_is_overwritten(self):
        disk = pathlib.Path(self.folder, "there.qcow2")
        disk.write_text("precious")
        self.assertIn("not overwritten", self.create("web", "--iso", self.iso, "--disk", disk, status=77))
        self.assertEqual(disk.read_text(), "precious")
        dangling = pathlib.Path(self.folder, "dangling.qcow2")
        dangling.symlink_to("nowhere")
        self.create("web", "--image", self.image, "--disk", dangling, status=77)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "nowhere")))

    def test_what_is_no_installer_is_refused_before_anything_is_made(self):
        disk = os.path.join(self.folder, "refused.qcow2")
        text = os.path.join(self.folder, "text.iso")
        pathlib.Path(text).write_text("this is no disc\n" * 5000)
        self.assertIn("cannot be read as an ISO", self.create("web", "--iso", text, "--disk", disk, status=77))
        self.assertIn("No such file", self.create("web", "--iso", text + "x", "--disk", disk, status=69))
        self.assertIn("vmlinuz", self.create("web", "--image", self.folder, "--disk", disk, status=69))
        self.assertFalse(os.path.exists(disk))

    def test_iso_that_is_no_file_is_refused_at_once(self):
        fifo = os.path.join(self.folder, "fifo.iso")
        os.mkfifo(fifo)
        for path in (fifo, self.folder):
            self.assertIn("neither a file nor a disc", self.create("web", "--iso", path, "--print", status=77))

    @unittest.skipIf(shutil.which("qemu-img") is None, "qemu-img is not installed")
    def test_create_that_is_told_to_end_leaves_nothing(self):
        tree, iso = pathlib.Path(self.folder, "slow"), os.path.join(self.folder, "slow.iso")
        (tree / "install.amd").mkdir(parents=True)
        (tree / "install.amd" / "vmlinuz").write_bytes(bytes(1000))
        with open(tree / "install.amd" / "initrd.gz", "wb") as file:
            file.truncate(256 << 20)  # it takes a moment to unpack
        subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", iso, str(tree)], check=True, capture_output=True, timeout=120)
        self.addCleanup(os.remove, iso)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            for moment in ("disks/.pbotvm-*", "tmp/pbotvm-installer-*", "tmp/pbotvm-installer-*/initrd"):
                with self.subTest(number=number, moment=moment):
                    self.end_create_at(iso, number, moment)

    def end_create_at(self, iso, number, moment):
        place = pathlib.Path(self.folder, "interrupted")
        for name in ("disks", "tmp"):
            (place / name).mkdir(parents=True)
        self.addCleanup(shutil.rmtree, place, True)
        with subprocess.Popen([program("pbotvm"), "vm", "create", "web", "--iso", iso, "--disk", str(place / "disks" / "web.qcow2")],
                              env={**self.environment, "TMPDIR": str(place / "tmp")}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as create:
            try:
                wait_for(moment, lambda: list(place.glob(moment)) or list(place.glob("tmp/*")), 60)
                create.send_signal(number)
                out = create.communicate(timeout=120)[0]
            finally:
                create.kill()
        self.assertEqual(create.returncode, 69, out)
        self.assertIn("before it was done", out)
        self.assertEqual([*place.glob("*/*"), *place.glob("*/.*")], [], out)
        shutil.rmtree(place)

    def test_nothing_that_was_asked_for_is_missing_in_the_settings(self):
        out = self.create("web", "--image", self.image, "--network", "user", "--print")
        made = yaml.safe_load(out.split("for the host:\n\n")[1])["machines"]["web"]
        self.assertEqual(made["hypervisor"]["nics"], [{"type": "user"}])
        self.assertIn("no screen", self.create("web", "--image", self.image, "--console", "spice", "--print", status=77))

    def test_disk_needs_its_directory(self):
        ended = self.create("web", "--iso", self.iso, "--disk", os.path.join(self.folder, "no", "disk"), status=69)
        self.assertIn("--disk", ended)

    def test_libvirt_of_another_system_is_refused(self):
        path = self.config("machines: {pbot-vm: {hypervisor: {plugin: libvirt, uri: 'qemu+ssh://far/system'}}}\n")
        self.assertIn("another system", self.create("pbot-vm", "--image", self.image, "--config", path, status=77))

    @unittest.skipIf(shutil.which("virsh") is None, "virsh is not installed")
    def test_without_a_daemon_nothing_is_made(self):
        disk = os.path.join(self.folder, "no-daemon.qcow2")
        uri = "qemu+unix:///system?socket=" + os.path.join(self.folder, "nobody-listens")
        path = self.config(f"machines: {{pbot-vm: {{hypervisor: {{plugin: libvirt, uri: '{uri}'}}}}}}\n")
        ended = self.create("pbot-vm", "--image", self.image, "--disk", disk, "--config", path, status=69)
        self.assertIn("libvirtd", ended)
        self.assertFalse(os.path.exists(disk))


class Delete(Commands):
    def delete(self, *words, **more):
        return self.pbotvm("vm", "delete", *words, **more)

    def machine(self, name):
        folder = pathlib.Path(self.state, "machines", name)
        folder.mkdir(parents=True)
        (folder / "snapshot.qcow2").write_bytes(b"QFI\xfb" + bytes(1000))
        (folder / "qemu.log").write_text("log")
        return folder

    def test_takes_its_name_and_nothing_else(self):
        for words in ((), ("a", "b"), ("pbot-vm", "--all")):
            self.delete(*words, status=64)
        self.assertIn("there are pbot-vm", self.delete("nobody", status=78))

    def test_removes_what_state_holds_and_disks_only_when_told(self):
        disk = pathlib.Path(self.folder, "data.qcow2")
        base = pathlib.Path(self.folder, "read-only.raw")
        for file in (disk, base):
            file.write_bytes(bytes(1000))
        path = self.config(f"machines: {{pbot-vm: {{hypervisor: {{plugin: qemu, disks: [{{file: '{disk}'}}, "
                           f"{{file: '{base}', format: raw, read_only: true}}]}}}}}}\n")
        folder = self.machine("pbot-vm")
        out = self.delete("pbot-vm", "--config", path)
        self.assertIn(f"removed {folder}", out)
        self.assertFalse(folder.exists())
        self.assertTrue(disk.exists())
        self.assertIn(f"removed the disk {disk}", self.delete("pbot-vm", "--disks", "--config", path))
        self.assertFalse(disk.exists())
        self.assertTrue(base.exists())
        self.delete("pbot-vm", "--disks", "--config", path)  # nothing is left, which is what was asked for

    def test_disks_of_another_system_are_not_taken_for_this_ones(self):
        path = self.config("machines: {pbot-vm: {hypervisor: {plugin: libvirt, uri: 'qemu+ssh://far/system'}}}\n")
        self.assertIn("another system", self.delete("pbot-vm", "--disks", "--config", path, status=77))

    def test_disk_that_is_a_link_or_a_directory_is_not_removed(self):
        disk, link, folder = (pathlib.Path(self.folder, name) for name in ("real.qcow2", "link.qcow2", "folder.qcow2"))
        disk.write_bytes(bytes(1000))
        link.symlink_to(disk)
        folder.mkdir()
        state = self.machine("linked")
        for file, why in ((link, f"symbolic link to {disk}"), (folder, "a directory"), ("/", "a directory")):
            path = self.config(f"machines: {{linked: {{hypervisor: {{plugin: qemu, disks: [{{file: '{file}'}}]}}}}}}\n"
                               "default_machine: linked\n")
            self.assertIn(why, self.delete("linked", "--disks", "--config", path, status=77))
        for kept in (disk, folder, state):
            self.assertTrue(kept.exists())
        self.assertTrue(link.is_symlink())

    def test_disk_of_another_machine_stays(self):
        disk = pathlib.Path(self.folder, "shared.qcow2")
        disk.write_bytes(bytes(1000))
        one = f"{{serial: 0, heart: 0, cid: 0, hypervisor: {{plugin: qemu, disks: [{{file: '{disk}'}}]}}}}"
        path = self.config(f"default_machine: a\nmachines: {{a: {one}, b: {one}}}\n")
        self.assertIn("is a disk of machine 'b' too", self.delete("a", "--disks", "--config", path, status=77))
        self.assertTrue(disk.exists())

    @unittest.skipIf(shutil.which("qemu-img") is None, "qemu-img is not installed")
    def test_disk_that_another_machines_disk_lies_on_stays(self):
        base, overlay = (pathlib.Path(self.folder, name) for name in ("lower.qcow2", "upper.qcow2"))
        self.pbotvm("image", "create", str(base), "1M")
        self.pbotvm("image", "overlay", str(base), str(overlay))
        one, two = (f"{{serial: 0, heart: 0, cid: 0, hypervisor: {{plugin: qemu, disks: [{{file: '{disk}'}}]}}}}" for disk in (base, overlay))
        path = self.config(f"default_machine: a\nmachines: {{a: {one}, b: {two}}}\n")
        self.assertIn(f"{base} is a disk of machine 'b' too", self.delete("a", "--disks", "--config", path, status=77))
        self.assertTrue(base.exists())

    @unittest.skipIf(shutil.which("qemu-system-x86_64") is None, "QEMU is not installed")
    def test_what_a_qemu_has_open_stays(self):
        disk = os.path.join(self.folder, "open.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True, timeout=60)
        path = self.config(f"machines: {{pbot-vm: {{hypervisor: {{plugin: qemu, disks: [{{file: '{disk}'}}]}}}}}}\n")
        qemu = subprocess.Popen(["qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none", "-qmp", "stdio", "-blockdev",
                                 f"driver=qcow2,node-name=d,file.driver=file,file.filename={disk}"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            qemu.stdout.readline()  # its greeting: the disk is open
            self.assertIn(f"{disk} is in use", self.delete("pbot-vm", "--disks", "--config", path, status=77))
        finally:
            qemu.kill()
            qemu.communicate()
        self.assertTrue(os.path.exists(disk))


class Stop(Commands):
    def test_machine_that_does_not_run_need_not_be_ended(self):
        path = self.config("machines: {pbot-vm: {hypervisor: {plugin: qemu}}}\n")
        for word in ("stop", "destroy"):
            self.assertEqual(self.pbotvm("vm", word, "--config", path), "pbot-vm: does not run\n")
        self.assertIn("start pbotvm-host", self.pbotvm("vm", "start", "--config", path, status=77))


if __name__ == "__main__":
    main()
