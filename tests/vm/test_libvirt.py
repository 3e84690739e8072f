# SPDX-License-Identifier: MIT
"""A machine that is a domain of a real libvirt: daemon, domain and sockets of the test's own."""

import os
import signal
import threading
import time

from pbotvm_libvirt import Shared, domain_state, make_host, prepare, seconds_of_reverts
from pbotvm_machine import Console, alive
from pbotvm_testing import Folder, free_port, main, wait_for


def setUpModule():
    prepare()


class Refusals(Folder):
    """What the host says when it cannot do as it should. No machine gets as far as its guest."""

    def run_host_with(self, **changes):
        folder = os.path.join(self.folder, self.id().rsplit(".", 1)[1])
        os.mkdir(folder)
        self.host = make_host(folder, **changes)
        self.addCleanup(self.host.stop)
        self.host.start()

    def line_with(self, text):
        self.host.await_log(text, 120)
        return next(line for line in self.host.log().splitlines() if text in line)

    def test_says_which_devices_the_domain_does_not_have(self):
        # The line of another port is not this domain's.
        self.run_host_with(heart=free_port())
        line = self.line_with("has no serial port 3 on")
        self.assertIn(f"domain '{Shared.name}'", line)
        self.assertIn("pbotvm devices add-serials", line)
        self.assertNotIn("serial port 2", line)

    def test_says_which_domains_there_are_when_its_own_is_not_among_them(self):
        self.run_host_with(name="nobody")
        line = self.line_with("libvirt error 42")
        self.assertIn("there are: " + Shared.name, line)

    def test_says_what_to_do_when_there_is_no_daemon(self):
        self.run_host_with(uri="qemu+unix:///system?socket=/nonexistent/libvirt-sock")
        line = self.line_with("libvirt error 38")
        self.assertIn("systemctl start libvirtd", line)

    def test_says_which_group_opens_the_daemons_socket(self):
        os.chmod(Shared.libvirt.socket, 0o700)
        try:
            self.run_host_with()
            line = self.line_with("libvirt error 38")
            self.assertIn("usermod -aG libvirt", line)
        finally:
            os.chmod(Shared.libvirt.socket, 0o777)


class Reverting(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.libvirt = Shared.libvirt
        cls.name = Shared.name
        cls.host = make_host(cls.folder).start()
        cls.addClassCleanup(cls.host.stop)
        begun = time.monotonic()
        cls.host.await_state("ready", 240)
        print(f"\nhost start with a boot of the domain to ready: {time.monotonic() - begun:.1f} s")

    def setUp(self):
        self.host.await_state("ready", 120)

    def qemu_pid(self):
        return self.libvirt.qemu_pid(self.name)

    def reverts(self):
        return self.host.machine()["reverts"]

    def assert_works(self):
        self.assertEqual(self.host.ask("-lang=sh echo works"), "works")

    def assert_survives_a_time_out(self):
        self.assert_works()
        before = self.reverts()
        self.assertRegex(self.host.ask("-lang=sh echo before; while :; do :; done"), r"^before\n *\[Timed-out\]$")
        wait_for("the revert", lambda: self.reverts() == before + 1)
        self.host.await_state("ready")
        self.assert_works()

    def test_runs_jobs_and_reverts_after_a_time_out(self):
        qemu = self.qemu_pid()
        self.assert_survives_a_time_out()
        self.assertNotEqual(self.qemu_pid(), qemu, "libvirt's own revert starts another QEMU")
        print(f"reverted in {seconds_of_reverts(self.host)[-1]} s")

    def test_reverts_about_as_fast_as_virsh_does(self):
        ours, theirs = [], []
        for number in range(8):
            if number > 1 and min(ours) < 3 * min(theirs):  # what else this system does makes either of them slow
                break
            self.assertTrue(self.host.control("revert", machine="main")["ok"])
            ours.append(seconds_of_reverts(self.host)[-1])
            before = self.qemu_pid()
            begun = time.monotonic()
            self.libvirt.virsh("snapshot-revert", self.name, "1", "--running")
            theirs.append(time.monotonic() - begun)
            # The lines are closed, so the host puts it back once more.
            wait_for("the host's own revert", lambda: self.qemu_pid() not in (0, before), 60)
            self.host.await_state("ready", 120)
        ratio = min(ours) / min(theirs)
        print(f"revert: {min(ours):.2f} s, virsh snapshot-revert: {min(theirs):.2f} s, ratio {ratio:.2f}")
        self.assertLess(ratio, 3, (ours, theirs))

    def test_took_the_snapshot_that_libvirt_lists(self):
        self.assertEqual(self.libvirt.virsh("snapshot-list", self.name, "--name").stdout.split(), ["1"])
        self.assertIn("<state>running</state>", self.libvirt.virsh("snapshot-dumpxml", self.name, "1").stdout)

    def test_brings_back_a_domain_that_somebody_destroyed(self):
        before = self.qemu_pid()
        self.libvirt.virsh("destroy", self.name)
        self.host.await_log("somebody destroyed it", 60)
        wait_for("the domain to run again", lambda: domain_state() == "running" and self.qemu_pid() not in (0, before), 120)
        self.host.await_state("ready")
        self.assert_works()

    def test_lets_a_job_run_on_while_libvirtd_is_killed_and_comes_back(self):
        qemu = self.qemu_pid()
        replies = []
        job = threading.Thread(target=lambda: replies.append(self.host.ask("-lang=sh echo begun; sleep 3; echo ended")))
        job.start()
        wait_for("the job to run", lambda: self.host.machine()["state"] == "leased")
        self.libvirt.kill()
        self.host.await_log("the daemon is gone", 60)
        job.join()
        self.assertEqual(replies, ["begun\nended"])
        self.assert_works()  # the domain needs no daemon
        self.assertTrue(alive(qemu))
        self.libvirt.start()
        begun = time.monotonic()
        self.host.await_log("connected again", 60)
        print(f"connected again {time.monotonic() - begun:.1f} s after the daemon answered")
        self.assertEqual(self.qemu_pid(), qemu)
        self.assertTrue(self.host.control("revert", machine="main")["ok"])
        self.assert_works()

    def test_reverts_a_guest_that_panics_at_once(self):
        before = self.qemu_pid()
        said = len(self.host.log())
        console = Console(os.path.join(Shared.places["lines"], "console.sock"))
        console.type("")
        console.type("echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger")
        console.expect(rb"Kernel panic", 60)
        console.close()  # a console that is connected and not read holds up the kernel
        begun = time.monotonic()
        # Its line may close before its event is heard of: either way nobody waits for heartbeats to be missing.
        wait_for("another QEMU", lambda: self.qemu_pid() not in (0, before) and self.host.machine()["state"] == "ready", 120)
        print(f"kernel panic: mended after {time.monotonic() - begun:.1f} s")
        self.host.await_log("guest panicked", 60)
        self.assertNotIn("no heartbeat", self.host.log()[said:])
        self.assert_works()

    def test_gives_a_daemon_up_that_hangs_and_mends_the_machine_when_it_goes_on(self):
        os.kill(self.libvirt.process.pid, signal.SIGSTOP)
        begun = time.monotonic()
        try:
            answer = self.host.control("revert", machine="main")
            told = time.monotonic() - begun
            self.host.await_log("no connection to libvirt", 60)
            not_opened = time.monotonic() - begun - told
            before = self.qemu_pid()
        finally:
            os.kill(self.libvirt.process.pid, signal.SIGCONT)
        self.assertFalse(answer["ok"], answer)
        begun = time.monotonic()
        wait_for("the machine to be started anew", lambda: self.qemu_pid() not in (0, before) and self.host.machine()["state"] == "ready", 120)
        print(f"daemon stopped: revert given up after {told:.1f} s, a new connection after {not_opened:.1f} s; "
              f"ready {time.monotonic() - begun:.1f} s after it went on")
        self.assert_works()
        self.assertLess(told, 80)
        self.assertLess(not_opened, 80)
        self.assertIn("systemctl restart libvirtd", self.host.log())

    def test_y_reverts_within_qemu_where_fast_revert_is_on(self):
        self.host.stop()
        folder = os.path.join(self.folder, "fast")
        os.mkdir(folder)
        self.host = make_host(folder, fast="true").start()
        self.addCleanup(type(self).host.start)
        self.addCleanup(self.host.stop)
        self.host.await_state("ready")
        qemu = self.qemu_pid()
        for _ in range(3):
            self.assertTrue(self.host.control("revert", machine="main")["ok"])
        self.assertEqual(self.qemu_pid(), qemu)
        self.assert_works()
        print("fast reverts in", ", ".join(f"{s:.2f}" for s in seconds_of_reverts(self.host)), "s")

    def test_z_ends_the_domain_with_the_host_and_starts_it_from_its_snapshot(self):
        self.host.stop()
        self.assertEqual(domain_state(), "shut off")
        said = len(self.host.log())
        begun = time.monotonic()
        self.host.start()
        self.host.await_state("ready")
        self.assert_works()
        print(f"host start with a saved snapshot to the first answered job: {time.monotonic() - begun:.1f} s")
        self.assertIn("runs from its snapshot", self.host.log()[said:])


if __name__ == "__main__":
    main()
