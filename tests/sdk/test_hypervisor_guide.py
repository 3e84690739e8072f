# SPDX-License-Identifier: MIT
"""The hypervisor of docs/plugins/hypervisor.md, built outside the tree against the installed SDK, with the real host and
the real guest program as its machine."""

import os
import pathlib
import re
import shutil
import signal
import subprocess

from pbotvm_testing import BUILD, TOP, Folder, Host, clean_environment, main, program, wait_for

YAML = """\
default_machine: main
machines:
  main:
    hypervisor:
      plugin: command
      command: [{guest}, --listen, "unix:{lines}/data.sock", --heartbeat, "unix:{lines}/heart.sock", --work, {lines}/work,
                --user, nobody, --allow-missing, all]
    transports: [virtio-serial]
    serial: 0
    virtio_serial: "unix:{lines}/data.sock"
    heart: "unix:{lines}/heart.sock"
"""


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, env=clean_environment())
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}")
    return done.stdout


class Guide(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        sdk, source, build = (os.path.join(cls.folder, name) for name in ("sdk", "source", "build"))
        os.mkdir(source)
        page = pathlib.Path(TOP, "docs", "plugins", "hypervisor.md").read_text()
        files = re.findall(r"(?s)\n`([a-zA-Z_]+\.(?:txt|cpp))`:\n\n```[a-z]+\n(.*?)```", page)
        for name, text in files:
            pathlib.Path(source, name).write_text(text)
        run("cmake", "--install", str(BUILD), "--prefix", sdk, "--component", "sdk")
        run("cmake", "-S", source, "-B", build, "-DCMAKE_PREFIX_PATH=" + sdk, "-DCMAKE_BUILD_TYPE=Debug",
            "-DPBOTVM_GUEST=" + program("pbotvm-guest"))
        run("cmake", "--build", build)
        # Where the host's user can reach it, too.
        cls.guest = shutil.copy(program("pbotvm-guest"), cls.folder)
        cls.plugins = f"{BUILD / 'lib' / 'pbotvm'}:{build}/lib/pbotvm"

    def make_host(self, yaml=YAML):
        folder = os.path.join(self.folder, self.id().rsplit(".", 1)[1])
        lines = os.path.join(folder, "lines")
        os.makedirs(os.path.join(lines, "work"))
        for path in (lines, os.path.join(lines, "work")):
            os.chmod(path, 0o777)  # host and guest program run as the host's user
        return Host(folder, {"PBOTVM_PLUGINS": self.plugins, "PBOTVM_TIMEOUT": 6, "PBOTVM_QUEUE_TIMEOUT": 60},
                    yaml.format(guest=self.guest, lines=lines))

    def test_is_loaded_by_the_host(self):
        listed = subprocess.run([program("pbotvm-host"), "--list-plugins"], capture_output=True, text=True, timeout=60,
                                env=clean_environment(PBOTVM_PLUGINS=self.plugins)).stdout
        self.assertRegex(listed, r"(?m)^loaded\thypervisor\tcommand\t")

    def test_runs_jobs_reverts_and_brings_back_a_machine_that_was_killed(self):
        host = self.make_host()
        host.start()
        self.addCleanup(host.stop)
        host.await_state("ready", 120)
        self.assertEqual(host.ask("-lang=sh echo works"), "works")
        pid = self.pid(host)
        self.assertRegex(host.ask("-lang=sh echo before; while :; do :; done"), r"^before\n *\[Timed-out\]$")

        def reverted():  # for that: without namespaces each job before has the machine reverted too
            _, found, later = host.log().partition("a job was ended by a limit")
            return found and "reverted in" in later

        wait_for("the revert", reverted, 60)
        host.await_state("ready", 120)
        second = self.pid(host)
        self.assertNotEqual(second, pid)
        os.kill(second, signal.SIGKILL)
        host.await_log("pbotvm-guest ended: signal 9", 60)
        wait_for("another one", lambda: f"pid {second}" not in (host.machine()["hypervisor"] or ""), 60)
        host.await_state("ready", 120)
        self.assertEqual(host.ask("-lang=sh echo works"), "works")
        last = self.pid(host)
        host.stop()
        self.assertFalse(os.path.exists(f"/proc/{last}"))

    def pid(self, host):
        return int(wait_for("its process", lambda: re.search(r"pid (\d+)", host.machine()["hypervisor"])).group(1))

    def test_says_what_is_wrong_with_its_settings(self):
        host = self.make_host(YAML.replace("command: [", "comand: ["))
        told = subprocess.run([program("pbotvm-host"), "--check-config"], capture_output=True, text=True, timeout=60,
                              env=host.environment)
        self.assertEqual(told.returncode, 78)
        self.assertRegex(told.stderr, r"pbotvm.yaml:6:7: error: .*comand.*command")


if __name__ == "__main__":
    main()
