# SPDX-License-Identifier: MIT
"""pbotvm-host as a daemon: start, refusals, the operator's commands, its end."""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import pathlib
import re
import socket
import stat
import subprocess
import time
import unittest

from pbotvm_testing import (BUILD, NONE_YAML, TOP, Folder, Guest, Host, HostAndGuest, clean_environment, main,
                            program, wait_for)


def read(path):
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


def open_files(process):
    names = []
    for fd in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in between
            names.append(os.readlink(fd))
    return names


def run_host(*arguments, **environment):
    settings = {"PBOTVM_PLUGINS": BUILD / "lib" / "pbotvm", "PBOTVM_LANGUAGES": TOP / "etc" / "languages", **environment}
    return subprocess.run([program("pbotvm-host"), *arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, env=clean_environment(**settings))


class CommandLine(Folder):
    def config(self, text):
        path = os.path.join(self.folder, "try.yaml")
        pathlib.Path(path).write_text(text)
        return path

    def test_prints_help_and_version(self):
        self.assertIn("PBOTVM_TIMEOUT", run_host("--help").stdout)
        self.assertRegex(run_host("--version").stdout, r"\Apbotvm-host \d+\.\d+\.\d+\n\Z")

    @unittest.skipIf("PBOTVM_SANITIZE:BOOL=ON" in (BUILD / "CMakeCache.txt").read_text(), "a sanitizer must be loaded first")
    def test_a_sighup_before_it_has_begun_does_not_end_it(self):
        done = subprocess.run([program("pbotvm-host"), "--version"], capture_output=True, text=True, timeout=60,
                              env=clean_environment(LD_PRELOAD=BUILD / "lib" / "fixtures" / "early-signal.so"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("pbotvm-host "), done.stdout)

    def test_refuses_wrong_usage_with_status_64(self):
        for arguments in (["--nonsense"], ["extra"], ["--set", "nokey"]):
            with self.subTest(arguments):
                done = run_host(*arguments)
                self.assertEqual(done.returncode, 64, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_names_the_place_of_a_mistake_and_exits_with_78(self):
        path = self.config("host:\n  timeot: 5\n")
        for arguments in (["--check-config", "--config", path], ["--config", path]):
            done = run_host(*arguments)
            self.assertEqual(done.returncode, 78)
            self.assertRegex(done.stderr, "^" + re.escape(path) + r":2:3: error: .*timeot.*timeout")
            self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_names_the_variable_of_a_mistake(self):
        done = run_host("--check-config", PBOTVM_SERVER="port")
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r"^PBOTVM_SERVER: error: ")

    def test_lists_every_plugin(self):
        done = run_host("--list-plugins")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        self.assertTrue(all(len(row) == 5 and row[0] == "loaded" for row in rows), done.stdout)
        self.assertLessEqual({("transport", "serial"), ("transport", "virtio-serial"), ("transport", "heartbeat"),
                              ("hypervisor", "qemu"), ("hypervisor", "none"), ("language", "shell"), ("language", "c"),
                              ("language", "definitions")}, {(row[1], row[2]) for row in rows})

    def test_refuses_to_start_with_a_plugin_that_is_not_there(self):
        path = self.config("machines: {pbot-vm: {hypervisor: qemo}}\n")
        for more in ([], ["--check-config"]):
            done = run_host("--config", path, *more, PBOTVM_STATE=os.path.join(self.folder, "s1"))
            self.assertEqual(done.returncode, 78)
            self.assertRegex(done.stderr, r"(?m)^machines\.pbot-vm\.hypervisor: error: ")
            self.assertIn("did you mean 'qemu'", done.stderr)

    def test_refuses_an_unknown_default_language(self):
        path = self.config("machines: {pbot-vm: {hypervisor: none}}\nhost: {language: klingon}\n")
        for more in ([], ["--check-config"]):
            done = run_host("--config", path, *more, PBOTVM_STATE=os.path.join(self.folder, "s2"))
            self.assertEqual(done.returncode, 78)
            self.assertIn("klingon", done.stderr)


class Control(HostAndGuest):
    def pbotvm(self, *arguments):
        return subprocess.run([program("pbotvm"), *arguments], capture_output=True, text=True, timeout=60,
                              env=clean_environment(PBOTVM_STATE=self.host.state))

    def test_reports_its_status(self):
        self.assert_works()
        wait_for("a heartbeat", lambda: self.host.machine()["heartbeat_age_s"] is not None, 60)
        self.host.await_state("ready")  # the slot is free a moment after the reply
        done = self.pbotvm("status", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        machine = json.loads(done.stdout)["machines"][0]
        self.assertEqual((machine["name"], machine["state"], machine["transport"]), ("main", "ready", "virtio-serial"))
        self.assertGreaterEqual(machine["jobs"], 1)
        human = self.pbotvm("status").stdout
        self.assertIn("main", human)
        self.assertIn("ready", human)

    def test_reports_the_guests_health(self):
        done = self.pbotvm("health", "main")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("uptime", done.stdout)

    def test_refuses_to_revert_what_nobody_can(self):
        done = self.pbotvm("revert", "main")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot revert", done.stderr)

    def test_names_the_machines_for_an_unknown_one(self):
        done = self.pbotvm("health", "nosuch")
        self.assertEqual(done.returncode, 1)
        self.assertIn("available machines are: main", done.stderr)

    def test_refuses_a_command_that_is_too_long(self):
        self.assertIn("less than 4096 bytes", self.host.control("x" * 5000)["error"])

    def test_leaves_none_of_its_sockets_to_what_plugins_start(self):
        with self.host.connect() as client, socket.socket(socket.AF_UNIX) as operator:
            client.send(b"-lang=sh")  # no whole line yet: it waits for the rest
            operator.connect(os.path.join(self.host.state, "control.sock"))
            wait_for("both connections and both listeners", lambda: len(self.sockets()) >= 4)
            self.assertEqual({flags & os.O_CLOEXEC for flags in self.sockets()}, {os.O_CLOEXEC})

    def sockets(self):
        here = pathlib.Path("/proc", str(self.host.process.pid))
        found = []
        for fd in (here / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed in between
                if os.readlink(fd).startswith("socket:"):
                    found.append(int(re.search(r"flags:\s*(\d+)", (here / "fdinfo" / fd.name).read_text()).group(1), 8))
        return found

    def test_keeps_its_socket_to_its_user_and_group(self):
        mode = os.stat(os.path.join(self.host.state, "control.sock")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o660)

    def test_runs_as_an_unprivileged_user(self):
        if os.geteuid() != 0:
            self.skipTest("this run is not root's, so the host had nothing to give up")
        status = pathlib.Path(f"/proc/{self.host.process.pid}/status").read_text()
        self.assertNotRegex(status, r"(?m)^Uid:\s.*\b0\b")
        self.assertRegex(status, r"(?m)^CapEff:\s0+$")

    def test_refuses_a_second_host_in_its_state_directory(self):
        second = Host(self.folder + "", {"PBOTVM_STATE": self.host.state, "PBOTVM_SERVER": "9"})
        done = subprocess.run([program("pbotvm-host"), "--config", os.path.join(self.folder, "pbotvm.yaml")],
                              capture_output=True, text=True, timeout=60, env=second.environment)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"another pbotvm-host (pid {self.host.process.pid}) runs", done.stderr)
        self.assert_works()

    def locked_by_the_dead(self, name):
        """A state directory as a host leaves it that is killed just when a child of it is on its way into another program: its
        lock, which that child holds, and a host that is to serve there. Here this test holds the lock."""
        folder = os.path.join(self.folder, name)
        state = os.path.join(folder, "state")
        os.makedirs(state)
        dead = subprocess.Popen(["true"])
        dead.wait()
        lock = open(os.path.join(state, "host.pid"), "w")
        self.addCleanup(lock.close)
        lock.write(f"{dead.pid}\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in (folder, state, lock.name):
            os.chmod(path, 0o777)
        host = Host(folder, yaml=NONE_YAML.format(data=self.guest.data, heart=self.guest.heart)).start()
        self.addCleanup(host.stop)
        return host, lock

    def test_waits_for_a_lock_that_outlives_a_host_that_was_killed(self):
        host, lock = self.locked_by_the_dead("killed")
        wait_for("the lock to be wanted", lambda: host.process.poll() is not None or lock.name in open_files(host.process))
        lock.close()
        host.await_log("serves 127.0.0.1")

    def test_blames_no_dead_host_for_a_lock_that_is_never_given_up(self):
        host, lock = self.locked_by_the_dead("held")
        self.assertEqual(host.process.wait(60), 69)
        self.assertIn(f"a program that a pbotvm-host left behind holds {lock.name} locked", host.log())

    def test_says_where_its_port_is_taken(self):
        folder = os.path.join(self.folder, "other")
        os.makedirs(folder)
        other = Host(folder, {"PBOTVM_SERVER": self.host.port},
                     NONE_YAML.format(data=self.guest.data, heart=self.guest.heart)).start()
        self.addCleanup(other.stop)
        self.assertNotEqual(other.process.wait(30), 0)
        self.assertIn(f"listen on 127.0.0.1:{self.host.port}", other.log())


class End(Folder):
    def setUp(self):
        self.guest = Guest(self.folder)
        self.addCleanup(self.guest.stop)
        self.host = Host(self.folder, {"PBOTVM_SLOTS": 1, "PBOTVM_TIMEOUT": 120, "PBOTVM_QUEUE_TIMEOUT": 120}, NONE_YAML.format(data=self.guest.data, heart=self.guest.heart)).start()
        self.addCleanup(self.host.stop)
        self.host.await_state("ready")

    def test_answers_every_client_when_it_is_told_to_end(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            running = pool.submit(self.host.ask, "-lang=sh echo begun; sleep 118.0625", 130)
            wait_for("the job to have printed", lambda: any(
                b"118.0625" in read(p) for p in pathlib.Path("/proc").glob("[0-9]*/cmdline")))
            waiting = [pool.submit(self.host.ask, "-lang=sh echo never") for _ in range(3)]
            wait_for("the others to wait", lambda: self.host.machine()["waiting"] == 3)
            begun = time.monotonic()
            self.assertEqual(self.host.stop(), 0)
            self.assertLess(time.monotonic() - begun, 50)
            self.assertEqual(running.result(), "begun\n [Killed]")
            for reply in waiting:
                self.assertEqual(reply.result(),
                                 "Virtual machine 'main' is unavailable: the host is shutting down")
        self.assertFalse(os.path.exists(os.path.join(self.host.state, "control.sock")))
        self.assertFalse(os.path.exists(os.path.join(self.host.state, "host.pid")))


class GuestComesAndGoes(Folder):
    def test_comes_back_when_the_guest_does(self):
        guest = Guest(self.folder)
        self.addCleanup(lambda: guest.stop())
        host = Host(self.folder, {}, NONE_YAML.format(data=guest.data, heart=guest.heart)).start()
        self.addCleanup(host.stop)
        host.await_state("ready")
        self.assertEqual(host.ask("-lang=sh echo 1"), "1")
        guest.stop()
        host.await_state("failed")
        self.assertRegex(host.ask("-lang=sh echo 2"), r"\AVirtual machine 'main' is unavailable: .+")
        guest.start()
        host.await_state("ready", 90)
        self.assertEqual(host.ask("-lang=sh echo 3"), "3")


if __name__ == "__main__":
    main()
