# SPDX-License-Identifier: MIT
"""What a job can and cannot do in the real machine, seen by jobs themselves; docs/containment.md describes each piece."""

import json
import re

from pbotvm_machine import VirtualMachine
from pbotvm_testing import main

CALLS = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>
#define TRY(call) errno = 0, printf(#call " %s\n", (call) < 0 ? strerror(errno) : "ALLOWED")
int main(void) {
  static char room[512];
  struct timespec past = {1000, 0};
  struct timex change = {.modes = ADJ_SETOFFSET};
  TRY(unshare(CLONE_NEWUSER));
  TRY(unshare(CLONE_NEWNS));
  TRY(mount("none", "/tmp", "tmpfs", 0, 0));
  TRY(umount("/proc"));
  TRY(chroot("/tmp"));
  TRY(syscall(SYS_keyctl, 0, -3, 1));
  TRY(syscall(SYS_add_key, "user", "x", "y", 1, -4));
  TRY(syscall(SYS_io_uring_setup, 8, room));
  TRY(syscall(SYS_bpf, 0, room, sizeof room));
  TRY(syscall(SYS_perf_event_open, room, 0, -1, -1, 0));
  TRY(syscall(SYS_userfaultfd, 0));
  TRY(sethostname("other", 5));
  TRY(clock_settime(CLOCK_REALTIME, &past));
  TRY(adjtimex(&change));
  TRY(syscall(SYS_syslog, 3, room, sizeof room));
  TRY(socket(AF_VSOCK, SOCK_STREAM, 0));
  TRY(socket(AF_PACKET, SOCK_RAW, 0));
  TRY(socket(AF_ALG, SOCK_SEQPACKET, 0));
  TRY(socket(AF_INET, SOCK_RAW, 1));
  TRY(kill(1, SIGKILL));
  return 0;
}
"""

NETWORK = """
import socket, threading
print([name for _, name in socket.if_nameindex()])
listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=lambda: listener.accept()[0].sendall(b"over loopback")).start()
print(socket.create_connection(listener.getsockname()).recv(100).decode())
try:
    socket.create_connection(("10.0.2.2", 80), 5)
except OSError as error:
    print(error.strerror)
"""

TERMINAL = """
import os, pty
pid, fd = pty.fork()
if pid == 0:
    print(os.ttyname(0), flush=True)
    os._exit(0)
print(os.read(fd, 100).decode().strip(), sorted(os.listdir("/dev/pts")))
"""

CRASH = r"""
cat >x.c <<'C'
#include <stdlib.h>
#include <string.h>
int deep(char *p) { memset(p, 1, 100 << 20); abort(); }
int main(void) { return deep(malloc(100 << 20)); }
C
gcc -g x.c -o x
"""


class Containment(VirtualMachine):
    settings = {"PBOTVM_TIMEOUT": 60, "PBOTVM_QUEUE_TIMEOUT": 60}

    def run_as(self, language, code):
        return self.host.ask(json.dumps({"lang": language, "code": code}))

    def sh(self, code):
        return self.run_as("sh", code)

    def test_every_piece_is_given(self):
        self.assertNotIn("without", "".join(line for line in self.host.log().splitlines() if "contain" in line))
        console = self.console()
        console.type("")
        console.type("dmesg | grep -c 'pbotvm-guest: reduced' ; echo looked")
        console.expect(rb"\n0\r?\nlooked")
        console.close()

    def test_its_user_has_no_rights_and_no_way_to_any(self):
        self.assertEqual(self.sh("id"), "uid=1000(vm) gid=1000(vm) groups=1000(vm)")
        status = self.sh("cat /proc/self/status")
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertRegex(status, rf"{name}:\s+0000000000000000\n")
        self.assertRegex(status, r"NoNewPrivs:\s+1\n")
        self.assertRegex(status, r"Seccomp:\s+2\n")
        self.assertRegex(status, r"Groups:\s*\n")
        self.assertIn("failure", self.sh("su -c id </dev/null 2>&1"))

    def test_calls_that_no_program_needs_are_refused(self):
        reply = self.run_as("c11", CALLS)
        self.assertNotIn("ALLOWED", reply)
        self.assertEqual(reply.count("Operation not permitted"), 17, reply)
        self.assertEqual(reply.count("Address family not supported"), 3, reply)

    def test_devices_are_those_that_programs_use(self):
        self.assertEqual(self.sh("cd /dev; echo *"), "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero")
        self.assertEqual(self.sh("find / -xdev \\( -type b -o -type c \\) 2>/dev/null; mknod /tmp/d c 1 5 2>&1; echo end"),
                         "mknod: /tmp/d: Operation not permitted\nend")
        self.assertEqual(self.sh("echo out >/dev/stdout; cat </dev/stdin; head -c 3 /dev/zero | wc -c -stdin in"), "out\nin\n3")

    def test_terminals_are_its_own(self):
        for _ in range(2):  # the first has left nothing to the second
            self.assertEqual(self.run_as("python3", TERMINAL), "/dev/pts/0 ['0', 'ptmx']")

    def test_network_is_empty_but_for_loopback(self):
        for _ in range(2):
            self.assertEqual(self.run_as("python3", NETWORK), "['lo']\nover loopback\nNetwork is unreachable")
        self.assertEqual(self.sh("awk '/lo:/ { print $3 }' /proc/net/dev; tail -n +2 /proc/net/tcp"), "0")

    def test_it_sees_only_its_own_processes(self):
        seen = self.sh("ps -eo pid,user,comm --no-headers").splitlines()
        self.assertEqual([line.split()[1] for line in seen], ["vm"] * len(seen))
        self.assertEqual({line.split()[2] for line in seen}, {"sh", "ps"})
        self.assertIn("No such file", self.sh("cat /proc/1/status 2>&1"))

    def test_files_are_read_only_but_its_own(self):
        self.assertEqual(sorted(self.sh("find / -type d -writable 2>/dev/null | grep -v ^/proc/").split()),
                         ["/dev/shm", "/home/vm", "/tmp", "/var/tmp"])
        writable = self.sh("awk '$4 ~ /^rw/ { print $2, $3 }' /proc/mounts").splitlines()
        self.assertEqual(sorted(writable), ["/dev/pts devpts", "/dev/shm tmpfs", "/home/vm tmpfs", "/proc proc", "/tmp tmpfs", "/var/tmp tmpfs"])
        for line in self.sh("grep -E ' (/tmp|/dev/shm|/home/vm) ' /proc/mounts").splitlines():
            self.assertRegex(line, r"nosuid,nodev,.*size=\d+k,nr_inodes=\d+")
        self.assertEqual(self.sh("ls -A /run /sys/fs"), "/run:\n\n/sys/fs:")

    def test_the_kernels_settings_cannot_be_written(self):
        reply = self.sh("find /proc/sys /sys -type f -writable 2>/dev/null; for f in kcore kmsg keys kallsyms sysrq-trigger timer_list; do "
                        "cat /proc/$f 2>/dev/null && echo READ; (echo b >/proc/$f) 2>/dev/null && echo WRITTEN; done; echo end")
        self.assertEqual(reply, "end")
        self.assertIn("Read-only file system", self.sh("(echo 1 >/proc/sys/kernel/panic) 2>&1"))
        self.assertEqual(self.sh("(echo -500 >/proc/self/oom_score_adj) 2>/dev/null || cat /proc/self/oom_score_adj"), "0")

    def test_file_systems_are_full_before_its_memory_is_used_up(self):
        self.assertRegex(self.sh("for d in /tmp /dev/shm .; do i=0; while head -c 60000000 /dev/zero 2>/dev/null >$d/$i; do i=$((i+1)); "
                                 "[ $i -lt 20 ] || break; done; rm -f $d/[0-9]*; echo $i; done"), r"\A\d\n\d\n\d\Z")
        self.assertRegex(self.run_as("python3", "import os\ntry:\n for i in range(100000): os.close(os.open(f'/tmp/{i}', os.O_CREAT))\n"
                                                "except OSError as e: print(i, e.strerror)"), r"\A1638\d No space left on device\Z")

    def test_a_full_shared_directory_is_empty_for_the_next_job(self):
        reverts = self.reverts()
        self.assertEqual(self.sh("echo secret >/tmp/x; echo secret >/dev/shm/y; echo secret >/var/tmp/z; mkdir /tmp/d; echo left"), "left")
        self.assertEqual(self.sh("ls -A /tmp /dev/shm /var/tmp ."), ".:\nprog.sh\n\n/dev/shm:\n\n/tmp:\n\n/var/tmp:")
        self.assertEqual(self.reverts(), reverts)

    def test_limits_are_bounded(self):
        limits = self.run_as("bash", "ulimit -Ha; ulimit -Sc; ulimit -c 65536; ulimit -c unlimited 2>&1")
        for pattern in (r"core file size .* 65536\n", r"stack size .* 65536\n", r"max locked memory .* 1024\n", r"POSIX message queues .* 819200\n",
                        r"pending signals .* 1024\n", r"real-time priority .* 0\n", r"\n0\n", r"cannot modify limit"):
            self.assertRegex(limits, pattern)

    def test_a_core_file_is_there_for_who_asks_and_small(self):
        self.assertEqual(self.sh(CRASH + "./x 2>/dev/null; ls core* 2>/dev/null; echo end"), "end")
        size = int(self.sh(CRASH + "ulimit -c 32768; ./x 2>/dev/null; stat -c %s core"))
        self.assertLess(size, 17 << 20)  # with holes, which take no room
        self.assertGreater(size, 1 << 20)

    def test_a_debugger_works(self):
        reply = self.sh(CRASH + "gdb -q -batch -ex run -ex bt ./x 2>&1")
        self.assertRegex(reply, r"SIGABRT")
        self.assertRegex(reply, r"in deep \(p=.*\) at x.c:3")

    def test_languages_of_the_image_work_under_the_filter(self):
        self.assertEqual(self.run_as("python3", "import threading, subprocess, multiprocessing.pool\n"
                                     "print(multiprocessing.pool.ThreadPool(3).map(abs, [-1, 2]), subprocess.run(['echo', 'x'], capture_output=True).stdout)"),
                         "[1, 2] b'x\\n'")
        self.assertEqual(self.run_as("python3", "import multiprocessing\nwith multiprocessing.Pool(2) as p: print(p.map(abs, [-3, 4]))"), "[3, 4]")
        self.assertEqual(self.sh("perl -e 'print join(\",\", map { $_ * 2 } 1..3), \"\\n\"; print `echo sub`'"), "2,4,6\nsub")
        self.assertEqual(self.run_as("bash", "coproc cat; echo hi >&${COPROC[1]}; read -r x <&${COPROC[0]}; echo $x <(true) | cut -d' ' -f1"), "hi")
        self.assertEqual(self.sh("printf '#include <future>\\nint main() { return std::async(std::launch::async, [] { return 42; }).get(); }' >x.cpp; "
                                 "g++ x.cpp -o x && ./x; echo $?"), "42")

    def test_what_is_left_of_system_v_is_gone_for_the_next_job(self):
        self.assertEqual(self.run_as("c11", "#include <sys/shm.h>\n#include <sys/msg.h>\n#include <sys/sem.h>\n#include <stdio.h>\n"
                                     "int main(void) { printf(\"%d\\n\", shmget(77, 4096, IPC_CREAT | 0666) >= 0 && msgget(77, IPC_CREAT | 0666) >= 0 "
                                     "&& semget(77, 1, IPC_CREAT | 0666) >= 0); }"), "1")
        self.assertEqual(self.sh("tail -qn +2 /proc/sysvipc/*; echo end"), "end")

    def test_all_jobs_together_are_bounded(self):
        console = self.console()
        console.type("")
        console.type("cd /sys/fs/cgroup/pbotvm; cat memory.max pids.max cgroup.max.depth cgroup.subtree_control; cd; echo read")
        seen = console.expect(rb"\n(\d+)\r?\n(\d+)\r?\n1\r?\ncpu memory pids\r?\nread")
        console.close()
        total = int(re.search(r"\d+", self.sh("grep MemTotal /proc/meminfo")).group()) * 1024
        self.assertLess(int(seen.group(1)), total)
        self.assertGreater(int(seen.group(1)), total // 2)
        self.assertGreater(int(seen.group(2)), 200)
        self.assertEqual(self.sh("find / -name 'cgroup.*' 2>/dev/null | grep -v /usr/; echo end"), "end")

    def test_its_network_is_not_the_machines(self):
        self.assertNotEqual(network_of_a_job(self), network_of_the_machine(self))


class NetworkAllowed(VirtualMachine):
    settings = {"PBOTVM_NETWORK": "true"}

    def test_a_job_has_the_machines_network_where_the_configuration_says_so(self):
        self.assertEqual(network_of_a_job(self), network_of_the_machine(self))
        self.assertEqual(self.host.ask("-lang=sh uname -n; cat /dev/kmsg 2>&1 | cut -d: -f3"), "pbot-vm\n No such file or directory")


def network_of_a_job(test):
    return test.host.ask("-lang=sh readlink /proc/self/ns/net")


def network_of_the_machine(test):
    console = test.console()
    console.type("")
    console.type("readlink /proc/self/ns/net; echo read")
    seen = console.expect(rb"(net:\[\d+\])\r?\nread")
    console.close()
    return seen.group(1).decode()


if __name__ == "__main__":
    main()
