# SPDX-License-Identifier: MIT
"""The commands of `pbotvm` that an operator runs, against real programs: a guest, a host, libvirt."""

import json
import os
import pathlib
import pwd
import shutil
import subprocess
import time
import unittest
import xml.etree.ElementTree as xml

from pbotvm_testing import (BUILD, NONE_YAML, TOP, Folder, Guest, Host, HostAndGuest, clean_environment, free_port, main,
                            program)

ALSO = ("vm-client", "vm-exec", "vm-server", "add-serials", "add-vsock")


def run(name, *arguments, environment=None, timeout=120, **more):
    ended = subprocess.run([program(name), *arguments], env=environment or clean_environment(), timeout=timeout,
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    if "Sanitizer" in ended.stderr:  # told by itself: behind what differs it would be cut off
        raise AssertionError(f"{name} {' '.join(map(str, arguments))}: {ended.stderr}")
    return ended


class Names(Folder):
    def test_originals_names_stand_beside_the_program(self):
        for name in ALSO:
            self.assertEqual(os.path.realpath(program(name)), os.path.realpath(program("pbotvm")), name)
        for name in ("setup-guest", "guest-server"):
            self.assertTrue(os.access(program(name), os.X_OK), name)

    def test_vm_server_is_the_host_with_its_arguments(self):
        ended = run("vm-server", "--version")
        self.assertTrue(ended.stdout.startswith("pbotvm-host "), ended)
        wrong = run("vm-server", "--check-config", environment=clean_environment(PBOTVM_TIMEOUT="soon"))
        self.assertEqual(wrong.returncode, 78)
        self.assertTrue(wrong.stderr.startswith("PBOTVM_TIMEOUT: error: "), wrong.stderr)

    def test_installed_programs_work_under_every_name(self):
        for part in ("core", "guest"):
            subprocess.run(["cmake", "-DCMAKE_INSTALL_PREFIX=" + self.folder, "-P",
                            str(BUILD / part / "cmake_install.cmake")],
                           check=True, capture_output=True, timeout=60)
        installed = pathlib.Path(self.folder) / "bin"
        environment = clean_environment(PBOTVM_CID=42)
        line = [str(installed / "add-vsock"), "--qemu"]
        self.assertEqual(subprocess.check_output(line, env=environment, text=True, timeout=60),
                         "-device vhost-vsock-pci,guest-cid=42\n")
        line = [str(installed / "vm-server"), "--version"]
        self.assertIn("pbotvm-host", subprocess.check_output(line, env=environment, text=True, timeout=60))
        line = [str(installed / "setup-guest"), "--list-languages"]
        self.assertIn("python3", subprocess.check_output(line, env=environment, text=True, timeout=60))
        self.assertTrue(os.access(installed / "guest-server", os.X_OK))


class Exec(Folder):
    """A guest, and no host."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest = Guest(cls.folder)
        cls.addClassCleanup(cls.guest.stop)
        cls.config = os.path.join(cls.folder, "pbotvm.yaml")
        pathlib.Path(cls.config).write_text(NONE_YAML.format(data=cls.guest.data, heart=cls.guest.heart))
        cls.environment = clean_environment(
            PBOTVM_CONFIG=cls.config, PBOTVM_STATE=os.path.join(cls.folder, "state"),
            PBOTVM_PLUGINS=BUILD / "lib" / "pbotvm", PBOTVM_LANGUAGES=TOP / "etc" / "languages")

    def exec(self, *words, **changes):
        environment = {**self.environment, **{k: str(v) for k, v in changes.items()}}
        return run("vm-exec", *words, environment=environment)

    def test_code_runs_in_the_guest(self):
        ended = self.exec("-lang=sh", "echo", "hello", "world")
        self.assertEqual((ended.stdout, ended.returncode), ("hello world\n", 0), ended.stderr)

    def test_reply_is_worded_by_the_language(self):
        self.assertEqual(self.exec("-lang=sh exit 3").stdout, "Exit 3.\n")
        self.assertEqual(self.exec("-lang=python3", "print(6*7)").stdout, "42\n")

    def test_one_after_another_and_side_by_side(self):
        for i in range(3):
            self.assertEqual(self.exec("-lang=sh", f"echo {i}").stdout, f"{i}\n")

    def test_job_that_does_not_end_is_ended_with_what_it_printed(self):
        ended = self.exec("-lang=sh", "echo begun; sleep 1000", PBOTVM_TIMEOUT=1)
        self.assertIn("begun", ended.stdout)
        self.assertIn("[Timed-out]", ended.stdout)
        self.assertEqual(self.exec("-lang=sh", "echo again").stdout, "again\n")

    def test_configuration_may_be_named_on_the_command_line(self):
        environment = {k: v for k, v in self.environment.items() if k != "PBOTVM_CONFIG"}
        ended = run("pbotvm", "--config", self.config, "exec", "-lang=sh", "echo", "here", environment=environment)
        self.assertEqual(ended.stdout, "here\n", ended.stderr)

    def test_warm_runs_every_language_once(self):
        ended = run("pbotvm", "warm", environment=self.environment, timeout=280)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        told = dict(line.split(": ", 1) for line in ended.stdout.splitlines())
        for language in ("sh", "python3"):
            self.assertRegex(told[language], r"^[0-9.]+ s: \S", ended.stdout)

    def test_what_cannot_be_run_is_refused(self):
        ended = self.exec("-lang=nosuch", "x")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("Language 'nosuch' is not supported.", ended.stderr)
        for line in ('{"code":"-lang=sh echo x","reply":"json"}', '{"code":"-lang=sh echo x","persist-key":"k"}',
                     "-lang=sh -paste echo x"):
            ended = self.exec(line)
            self.assertEqual(ended.returncode, 1)
            self.assertIn("needs a host", ended.stderr)

    def test_machine_that_is_not_configured_is_wrong_configuration(self):
        ended = self.exec("-vm=other", "-lang=sh", "echo x")
        self.assertEqual(ended.returncode, 78)
        self.assertIn("there are main", ended.stderr)

    def test_nothing_to_run_is_wrong_usage(self):
        self.assertEqual(self.exec().returncode, 64)


class ExecWithoutGuest(Folder):
    def test_says_at_once_why_and_ends_with_69(self):
        port = free_port()
        environment = clean_environment(
            PBOTVM_STATE=self.folder, PBOTVM_TRANSPORTS="serial", PBOTVM_SERIAL=port,
            PBOTVM_PLUGINS=BUILD / "lib" / "pbotvm", PBOTVM_LANGUAGES=TOP / "etc" / "languages")
        begun = time.monotonic()
        with subprocess.Popen([program("vm-exec"), "-lang=sh", "echo x"], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            first = process.stderr.readline()
            early = time.monotonic() - begun
            out, rest = process.communicate(timeout=120)
        self.assertIn(f"127.0.0.1:{port}", first)
        self.assertLess(early, 20)
        self.assertEqual(process.returncode, 69, rest)
        self.assertEqual(out, "")
        self.assertIn("is unavailable", rest)


class ExecThroughTheHost(HostAndGuest):
    def test_goes_through_the_host_that_holds_the_machine(self):
        ended = run("vm-exec", "-lang=sh", "echo", "through", environment=self.host.environment)
        self.assertEqual((ended.stdout, ended.returncode), ("through\n", 0))
        self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)
        self.assertIn("holds machine 'main'", ended.stderr)
        self.assertIn(str(self.host.port), ended.stderr)
        self.assertEqual(self.host.machine()["faults"], 0)

    def test_what_only_a_host_can_do_is_done_by_the_host_that_holds_the_machine(self):
        ended = run("vm-exec", '{"code":"-lang=sh echo x","reply":"json"}', environment=self.host.environment)
        self.assertEqual(ended.returncode, 0)
        self.assertIn('"reply":"x"', ended.stdout.replace('": "', '":"'))

    def test_doctor_knows_the_ports_of_the_running_host(self):
        ended = run("pbotvm", "doctor", "--json", environment=self.host.environment)
        port = next(one for one in json.loads(ended.stdout) if one["check"] == "port of pbotvm-host")
        self.assertEqual(port["state"], "ok", port)
        self.assertIn(f"process {self.host.process.pid}", port["found"])
        self.assert_works()


    def test_machine_of_a_host_is_not_started_or_ended_beside_it(self):
        ended = run("pbotvm", "vm", "destroy", environment=self.host.environment)
        self.assertEqual(ended.returncode, 77)
        self.assertIn(f"held by pbotvm-host, process {self.host.process.pid}", ended.stderr)
        self.assertIn("main: ready", run("pbotvm", "vm", "list", environment=self.host.environment).stdout)

    def test_machine_of_a_host_needs_no_warming(self):
        ended = run("pbotvm", "warm", environment=self.host.environment)
        self.assertEqual(ended.returncode, 77)
        self.assertIn("held by pbotvm-host", ended.stderr)

    def test_snapshots_go_through_the_host(self):
        ended = run("pbotvm", "snapshot", "list", environment=self.host.environment)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("keeps no named snapshots", ended.stderr)


class WithoutHost(Folder):
    """A machine of qemu lives in the host."""

    def test_what_needs_the_host_says_so(self):
        environment = clean_environment(PBOTVM_STATE=self.folder, PBOTVM_PLUGINS=BUILD / "lib" / "pbotvm")
        for words, status in ((("vm", "start"), 77), (("snapshot", "list"), 69), (("vm", "console"), 69)):
            ended = run("pbotvm", *words, environment=environment)
            self.assertEqual(ended.returncode, status, words)
            self.assertIn("pbotvm-host", ended.stderr)
            self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)
        for words in (("vm", "stop"), ("vm", "destroy")):
            ended = run("pbotvm", *words, environment=environment)
            self.assertEqual(ended.returncode, 0, words)
            self.assertIn("does not run", ended.stdout)
        self.assertIn("not running", run("pbotvm", "vm", "status", environment=environment).stdout)

    def test_wrong_usage(self):
        for words in (("vm",), ("vm", "boot"), ("vm", "list", "x"), ("snapshot",), ("snapshot", "create"),
                      ("snapshot", "list", "a", "b"), ("snapshot", "delete", "x", "--json"), ("vm", "start", "--now")):
            self.assertEqual(run("pbotvm", *words).returncode, 64, words)


class Doctor(Folder):
    def test_is_quick(self):
        environment = clean_environment(PBOTVM_STATE=self.folder, PBOTVM_PLUGINS=BUILD / "lib" / "pbotvm")
        quickest, end = 1e9, time.monotonic() + 100
        while quickest >= 1 and time.monotonic() < end:  # others may keep this system busy for a while
            begun = time.monotonic()
            run("pbotvm", "doctor", environment=environment)
            quickest = min(quickest, time.monotonic() - begun)
        self.assertLess(quickest, 1)


DOMAIN = """<domain type='qemu'><name>guide-vm</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>
<serial type='pty'><target port='0'/></serial></devices></domain>"""


@unittest.skipUnless(shutil.which("virsh") and shutil.which("qemu-img") and
                     shutil.which("libvirtd", path="/usr/sbin:" + os.environ["PATH"]),
                     "virsh, libvirtd and qemu-img are not all installed")
class Devices(Folder):
    """A libvirtd of this test's own: a session's, which virsh starts and which ends by itself."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        # Where that user can reach them, wherever this was built.
        cls.build = pathlib.Path(cls.folder, "build")
        shutil.copytree(BUILD / "lib", cls.build / "lib", symlinks=True)
        os.mkdir(cls.build / "bin")
        for name in ("pbotvm", "pbotvm-tool", "add-serials", "add-vsock"):
            shutil.copy2(BUILD / "bin" / name, cls.build / "bin" / name, follow_symlinks=False)
        for name in ("home", "run", "state"):
            path = os.path.join(cls.folder, name)
            os.mkdir(path, 0o700)
            if os.geteuid() == 0:
                shutil.chown(path, cls.user)
        pathlib.Path(cls.folder, "pbotvm.yaml").write_text(
            'machines: {pbot-vm: {domain: guide-vm, hypervisor: {plugin: libvirt, uri: "qemu:///session"}}}\n')
        disk = os.path.join(cls.folder, "home", "disk.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True, timeout=60)
        if os.geteuid() == 0:
            shutil.chown(disk, cls.user)
        pathlib.Path(cls.folder, "domain.xml").write_text(DOMAIN.format(disk=disk))

    def environment(self, **changes):
        home, state = os.path.join(self.folder, "home"), os.path.join(self.folder, "state")
        return clean_environment(HOME=home, XDG_RUNTIME_DIR=os.path.join(self.folder, "run"),
                                 XDG_CONFIG_HOME=os.path.join(home, "config"), XDG_CACHE_HOME=os.path.join(home, "cache"),
                                 **{"PBOTVM_CONFIG": os.path.join(self.folder, "pbotvm.yaml"), "PBOTVM_STATE": state,
                                    "PBOTVM_PLUGINS": self.build / "lib" / "pbotvm",
                                    "LD_LIBRARY_PATH": self.build / "lib", **changes})

    def program(self, name):
        return self.build / "bin" / name

    def as_user(self, *words, **changes):
        more = {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        return subprocess.run(words, env=self.environment(**changes), timeout=120, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, cwd="/", **more)

    def virsh(self, *words):
        ended = self.as_user("virsh", "-q", "-c", "qemu:///session", *words)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def devices(self):
        return xml.fromstring(self.virsh("dumpxml", "--inactive", "guide-vm")).find("devices")

    def setUp(self):
        self.virsh("define", os.path.join(self.folder, "domain.xml"))
        self.addCleanup(self.virsh, "undefine", "guide-vm")

    def ports(self):
        return {one.find("target").get("port"): (one.find("source").get("mode"), one.find("source").get("service"))
                for one in self.devices().findall("serial") if one.get("type") == "tcp"}

    def test_add_serials_adds_both_lines_for_good_and_only_once(self):
        for words in ("added", "already"):
            ended = self.as_user(self.program("add-serials"), PBOTVM_SERIAL=7777, PBOTVM_HEART=7778)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            self.assertEqual(ended.stdout.count(words), 2, ended.stdout)
            self.assertEqual(self.ports(), {"2": ("bind", "7777"), "3": ("bind", "7778")})
            self.assertEqual("snapshot 1" in ended.stdout, words == "added")

    def test_other_ports_than_the_domain_has_are_refused_and_nothing_is_changed(self):
        self.as_user(self.program("add-serials"), PBOTVM_SERIAL=7777, PBOTVM_HEART=7778)
        ended = self.as_user(self.program("add-serials"), PBOTVM_SERIAL=7779, PBOTVM_HEART=7778)
        self.assertEqual(ended.returncode, 77)
        self.assertIn("7777", ended.stderr)
        self.assertEqual(self.ports(), {"2": ("bind", "7777"), "3": ("bind", "7778")})

    def test_add_vsock_and_virtio_serial(self):
        for _ in range(2):
            ended = self.as_user(self.program("add-vsock"), PBOTVM_CID=42)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            ended = self.as_user(self.program("pbotvm"), "devices", "add-virtio-serial", "pbot-vm")
            self.assertEqual(ended.returncode, 0, ended.stderr)
        devices = self.devices()
        self.assertEqual([one.find("cid").get("address") for one in devices.findall("vsock")], ["42"])
        channels = [one for one in devices.findall("channel") if one.find("target").get("name") == "pbotvm.data"]
        self.assertEqual(len(channels), 1)
        path = os.path.join(self.folder, "state", "machines", "pbot-vm", "virtio-serial.sock")
        self.assertEqual(channels[0].find("source").get("path"), path)

    def test_list_says_what_the_domain_has(self):
        self.as_user(self.program("add-vsock"), PBOTVM_CID=42)
        ended = self.as_user(self.program("pbotvm"), "devices", "list", PBOTVM_CID=42)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn("vsock, context id 42: present", ended.stdout)
        self.assertIn("ttyS2 in the guest: missing", ended.stdout)

    def test_domain_that_is_not_there_names_those_that_are(self):
        ended = self.as_user(self.program("add-vsock"), PBOTVM_DOMAIN="other-vm")
        self.assertEqual(ended.returncode, 69)
        self.assertIn("there are guide-vm", ended.stderr)
        self.assertEqual(len(ended.stderr.splitlines()), 1)

    def test_daemon_that_is_not_there_is_one_line_with_what_to_do(self):
        ended = self.as_user(self.program("add-vsock"), PBOTVM_CONFIG=self.unreachable())
        self.assertEqual(ended.returncode, 69)
        self.assertIn("libvirtd", ended.stderr)
        self.assertEqual(len(ended.stderr.splitlines()), 1)

    def pbotvm(self, *words):
        ended = self.as_user(self.program("pbotvm"), *words)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def test_domain_is_started_asked_about_and_ended(self):
        self.assertIn("pbot-vm: shut off", self.pbotvm("vm", "list"))
        self.assertIn("started", self.pbotvm("vm", "start"))
        self.addCleanup(self.as_user, self.program("pbotvm"), "vm", "destroy")
        self.assertIn("runs already", self.pbotvm("vm", "start", "pbot-vm"))
        self.assertIn("pbot-vm: running", self.pbotvm("vm", "status"))
        self.assertIn("asked to shut down", self.pbotvm("vm", "stop"))
        self.pbotvm("vm", "destroy")
        self.assertEqual(self.virsh("domstate", "guide-vm").strip(), "shut off")
        self.assertIn("does not run", self.pbotvm("vm", "destroy"))

    @unittest.skipUnless((BUILD / "lib" / "pbotvm" / "hypervisor-libvirt.so").exists(), "there is no plug-in libvirt")
    @unittest.skipIf(b"libasan" in (BUILD / "bin" / "pbotvm-tool").read_bytes(),
                     "the address sanitizer stands in for a function of libtirpc and does not find it in a plug-in's libraries")
    def test_snapshots_without_a_host_are_the_back_ends(self):
        self.pbotvm("vm", "start")
        self.addCleanup(self.as_user, self.program("pbotvm"), "vm", "destroy")
        self.assertIn("no snapshots", self.pbotvm("snapshot", "list"))
        self.pbotvm("snapshot", "create", "before")
        self.addCleanup(self.as_user, self.program("pbotvm"), "snapshot", "delete", "before")
        self.assertEqual(self.virsh("snapshot-list", "guide-vm", "--name").split(), ["before"])
        self.assertEqual([one["name"] for one in json.loads(self.pbotvm("snapshot", "list", "--json"))], ["before"])
        self.pbotvm("snapshot", "revert", "before", "pbot-vm")
        missing = self.as_user(self.program("pbotvm"), "snapshot", "revert", "after")
        self.assertNotEqual(missing.returncode, 0)
        self.assertIn("before", missing.stderr)
        self.pbotvm("snapshot", "delete", "before")
        self.assertIn("no snapshots", self.pbotvm("snapshot", "list"))

    def unreachable(self):
        path = os.path.join(self.folder, "unreachable.yaml")
        uri = "qemu+unix:///system?socket=" + os.path.join(self.folder, "nobody-listens")
        pathlib.Path(path).write_text(f'machines: {{pbot-vm: {{hypervisor: {{plugin: libvirt, uri: "{uri}"}}}}}}\n')
        return path


if __name__ == "__main__":
    main()
