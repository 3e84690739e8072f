# SPDX-License-Identifier: MIT
"""`pbotvm-host --check-config` finds what a start would refuse, and leaves no trace."""

import os
import pathlib
import re
import subprocess

from pbotvm_testing import BUILD, TOP, Folder, HostAndGuest, clean_environment, main, program


class CheckConfig(Folder):
    def setUp(self):
        self.image = pathlib.Path(self.folder, "image")
        self.image.mkdir(exist_ok=True)
        for name in ("vmlinuz", "initrd", "rootfs.squashfs", "image.id"):
            (self.image / name).write_text("only looked at\n")
        self.file = os.path.join(self.folder, "try.yaml")
        self.state = os.path.join(self.folder, "state")

    def run_host(self, yaml, *arguments, **changes):
        pathlib.Path(self.file).write_text(yaml)
        settings = {"PBOTVM_PLUGINS": BUILD / "lib" / "pbotvm", "PBOTVM_LANGUAGES": TOP / "etc" / "languages",
                    "PBOTVM_STATE": self.state, "PBOTVM_IMAGE": self.image, **changes}
        return subprocess.run([program("pbotvm-host"), "--config", self.file, *arguments], capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL, env=clean_environment(**settings))

    def assert_accepted(self, done):
        self.assertEqual((done.returncode, done.stdout), (0, "the configuration is valid\n"), done.stderr)
        self.assertFalse(os.path.exists(self.state))

    def assert_refused_as_at_a_start(self, yaml, pattern, **changes):
        checked = self.run_host(yaml, "--check-config", **changes)
        self.assertEqual(checked.returncode, 78, checked.stdout + checked.stderr)
        self.assertRegex(checked.stderr, pattern)
        self.assertEqual(len(checked.stderr.splitlines()), 1, checked.stderr)
        self.assertFalse(os.path.exists(self.state))
        started = self.run_host(yaml, **changes)
        self.assertEqual(started.returncode, 78, started.stderr)
        self.assertEqual(started.stderr.splitlines()[-1], checked.stderr.splitlines()[-1])
        self.assertFalse(os.path.exists(self.state), "the start left something")

    def at(self, line, column, text):
        return "^" + re.escape(self.file) + f":{line}:{column}: error: .*{text}"

    def test_accepts_what_a_start_would(self):
        done = self.run_host("machines: {pbot-vm: {hypervisor: {plugin: qemu, memory: 512 MiB}}}\n", "--check-config")
        self.assert_accepted(done)
        self.assertEqual(done.stderr, "")

    def test_accepts_the_shipped_configuration(self):
        self.assert_accepted(self.run_host((TOP / "etc" / "pbotvm.yaml").read_text(), "--check-config"))

    def test_finds_a_mistake_in_the_back_ends_own_settings(self):
        for plugin, key, near in (("qemu", "memry", "memory"), ("libvirt", "fast_rever", "fast_revert")):
            yaml = f"machines:\n  pbot-vm:\n    hypervisor:\n      plugin: {plugin}\n      {key}: true\n"
            with self.subTest(plugin):
                self.assert_refused_as_at_a_start(yaml, self.at(5, 7, near))
        self.assert_refused_as_at_a_start("machines:\n  pbot-vm: {hypervisor: {plugin: none, uri: x}}\n", self.at(2, 40, "uri"))

    def test_finds_a_mistake_in_a_transports_own_settings(self):
        self.assert_refused_as_at_a_start("machines:\n  pbot-vm:\n    transports: [{plugin: serial, speed: 9600}]\n",
                                          self.at(3, 35, "speed"))
        self.assert_refused_as_at_a_start("machines:\n  pbot-vm:\n    heartbeat: {mode: bead}\n", self.at(3, 23, "bead"))
        self.assert_refused_as_at_a_start("machines:\n  pbot-vm:\n    transports: [serial]\n    serial: 0\n", "serial")

    def test_finds_a_mistake_in_a_language_definition(self):
        folder = pathlib.Path(self.folder, "languages")
        folder.mkdir(exist_ok=True)
        (folder / "bad.yaml").write_text("name: bad\nstepz: []\n")
        self.assert_refused_as_at_a_start("{}", r"bad\.yaml:2:1: error: .*stepz",
                                          PBOTVM_LANGUAGES=f"{TOP}/etc/languages:{folder}")

    def test_finds_a_missing_image(self):
        self.assert_refused_as_at_a_start("{}", r"^machines\.pbot-vm\.image: error: .*vmlinuz",
                                          PBOTVM_IMAGE=os.path.join(self.folder, "nowhere"))

    def test_finds_a_disk_of_two_machines(self):
        disk = os.path.join(self.folder, "disk.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True)
        machine = f"hypervisor: {{plugin: qemu, disks: [{{file: {disk}}}]}}, serial: 0, heart: 0, cid: 0, transports: [virtio-serial]"
        self.assert_refused_as_at_a_start(
            f"machines:\n  one: {{{machine}}}\n  two: {{{machine}}}\ndefault_machine: one\n",
            self.at(3, 51, "of machine 'two' is a disk of machine 'one'"))

    def test_finds_a_domain_of_two_machines(self):
        rest = "domain: the-one, serial: 0, heart: 0, cid: 0, transports: [virtio-serial]"
        self.assert_refused_as_at_a_start(
            f"machines:\n  one: {{hypervisor: libvirt, {rest}}}\n  two: {{hypervisor: libvirt, {rest}}}\ndefault_machine: one\n",
            r"^machines\.two\.domain: error: domain 'the-one' of .* is that of machine 'one'")

    def test_finds_a_port_of_two_machines(self):
        rest = "heart: 0, cid: 0, transports: [serial]"
        for device in ("serials: [127.0.0.1:7001]", "display: {type: vnc, port: 7001}",
                       'nics: [{type: user, hostfwd: ["tcp:127.0.0.1:7001-:22"]}]'):
            with self.subTest(device):
                self.assert_refused_as_at_a_start(
                    f"machines:\n  one: {{serial: 7000, hypervisor: {{plugin: qemu, {device}}}, {rest}}}\n"
                    f"  two: {{serial: 7001, {rest}}}\ndefault_machine: one\n",
                    r"^machines\.two\.serial: error: 127\.0\.0\.1:7001 is taken by machines\.one\.hypervisor\.")

    def test_complains_in_one_line_whatever_was_written(self):
        self.assert_refused_as_at_a_start('machines: {"a\\nb": {}}\ndefault_machine: "a"\n', r"machine name 'a\?b'")

    def test_finds_a_state_directory_that_cannot_be(self):
        done = self.run_host("{}", "--check-config", PBOTVM_STATE=os.path.join(self.file, "below"))
        self.assertEqual(done.returncode, 78)
        self.assertIn("is no directory", done.stderr)

    def test_says_what_only_a_start_can_tell(self):
        done = self.run_host("machines:\n  pbot-vm: {hypervisor: {plugin: qemu, nics: [{type: bridge, bridge: no-such}]}}\n",
                             "--check-config")
        self.assert_accepted(done)
        self.assertRegex(done.stderr, r"\Anot checked: machines\.pbot-vm\.hypervisor: bridge no-such .*start")

    def test_says_of_a_plugin_that_cannot_check_that_it_was_not_checked(self):
        fixtures = BUILD / "lib" / "fixtures" / "good"
        if not fixtures.exists():
            self.skipTest("the plug-ins of the unit tests are not built")
        done = self.run_host("machines: {pbot-vm: {hypervisor: {plugin: fixture-good, any: thing}}}\n", "--check-config",
                             PBOTVM_PLUGINS=f"{BUILD}/lib/pbotvm:{fixtures}")
        self.assert_accepted(done)
        self.assertRegex(done.stderr, r"\Anot checked: machines\.pbot-vm\.hypervisor: hypervisor fixture-good ")


class BesideAHost(HostAndGuest):
    def test_checks_the_configuration_of_a_host_that_runs(self):
        before = sorted(pathlib.Path(self.host.state).rglob("*"))
        done = subprocess.run([program("pbotvm-host"), "--check-config"], capture_output=True, text=True, timeout=60,
                              env=self.host.environment)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "the configuration is valid\n", ""))
        self.assertEqual(sorted(pathlib.Path(self.host.state).rglob("*")), before)
        self.assert_works()


if __name__ == "__main__":
    main()
