// SPDX-License-Identifier: MIT
// What can be seen of a job's containment outside a machine: the filter of system calls and the rights in a process of
// the test, the rest in jobs of the real program, as far as this system gives the namespaces for it.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <thread>

#include "../src/cgroup_parent.h"
#include "../src/rights.h"
#include "../src/seccomp_filter.h"
#include "guest_process.h"

namespace pbotvm::guest_test {
namespace {

using testing::HasSubstr;

/// What a call gives in a process of its own: 0 or the error. As nobody, should the filter fail to deny it.
int in_child(const std::function<long()>& call, bool filtered = true) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0) _exit(254);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (filtered) guest::enter_filter();
    _exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

template <typename... Arguments>
int filtered(long number, Arguments... arguments) {
  return in_child([=] { return syscall(number, arguments...); });
}

TEST(JobFilter, denies_what_changes_the_system_or_reaches_far_into_the_kernel) {
  for (const long number : {SYS_mount,
                            SYS_umount2,
                            SYS_pivot_root,
                            SYS_chroot,
                            SYS_mount_setattr,
                            SYS_move_mount,
                            SYS_open_tree,
                            SYS_fsopen,
                            SYS_fsconfig,
                            SYS_fsmount,
                            SYS_fspick,
                            SYS_unshare,
                            SYS_setns,
                            SYS_add_key,
                            SYS_request_key,
                            SYS_keyctl,
                            SYS_bpf,
                            SYS_perf_event_open,
                            SYS_userfaultfd,
                            SYS_io_uring_setup,
                            SYS_io_uring_enter,
                            SYS_io_uring_register,
                            SYS_init_module,
                            SYS_finit_module,
                            SYS_delete_module,
                            SYS_kexec_load,
                            SYS_reboot,
                            SYS_swapon,
                            SYS_swapoff,
                            SYS_clock_settime,
                            SYS_settimeofday,
                            SYS_clock_adjtime,
                            SYS_adjtimex,
                            SYS_sethostname,
                            SYS_setdomainname,
                            SYS_acct,
                            SYS_quotactl,
                            SYS_name_to_handle_at,
                            SYS_open_by_handle_at,
                            SYS_syslog,
                            SYS_vhangup,
                            SYS_fanotify_init,
                            SYS_mbind,
                            SYS_move_pages,
                            SYS_migrate_pages,
                            SYS_kcmp,
                            SYS_pidfd_getfd,
                            SYS_memfd_secret}) {
    EXPECT_EQ(filtered(number, -1L, -1L, -1L, -1L, -1L), EPERM) << "system call " << number;
  }
}

TEST(JobFilter, denies_new_namespaces_by_any_way_and_lets_processes_and_threads_be) {
  for (const long flag :
       {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET}) {
    EXPECT_EQ(filtered(SYS_clone, flag | SIGCHLD, 0L, 0L, 0L, 0L), EPERM) << std::hex << flag;
  }
  EXPECT_EQ(filtered(SYS_clone3, nullptr, 0L), ENOSYS);  // what the C library takes as: use clone
  EXPECT_EQ(in_child([] {
              std::thread([] {}).join();
              const pid_t child = fork();
              if (child == 0) _exit(0);
              return waitpid(child, nullptr, 0);
            }),
            0);
}

TEST(JobFilter, leaves_only_sockets_that_need_no_rights) {
  constexpr long above = 1L << 32;  // the kernel does not see it
  struct Case {
    long family, type, protocol;
    int error;
  };
  for (const auto& [family, type, protocol, error] : std::vector<Case>{{AF_UNIX, SOCK_STREAM, 0, 0},
                                                                       {AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, 0},
                                                                       {AF_INET, SOCK_DGRAM, IPPROTO_UDP, 0},
                                                                       {AF_NETLINK, SOCK_RAW, 0, 0},
                                                                       {AF_VSOCK, SOCK_STREAM, 0, EAFNOSUPPORT},
                                                                       {AF_PACKET, SOCK_RAW, 0, EAFNOSUPPORT},
                                                                       {AF_ALG, SOCK_SEQPACKET, 0, EAFNOSUPPORT},
                                                                       {AF_BLUETOOTH, SOCK_RAW, 0, EAFNOSUPPORT},
                                                                       {AF_KEY, SOCK_RAW, 2, EAFNOSUPPORT},
                                                                       {AF_UNIX | above, SOCK_STREAM, 0, EAFNOSUPPORT},
                                                                       {AF_VSOCK | above, SOCK_STREAM, 0, EAFNOSUPPORT},
                                                                       {-1, SOCK_STREAM, 0, EAFNOSUPPORT},
                                                                       {AF_INET, SOCK_RAW, IPPROTO_ICMP, EPERM},
                                                                       {AF_INET6, SOCK_RAW | SOCK_NONBLOCK, 0, EPERM},
                                                                       {AF_INET, SOCK_RAW | above, 0, EPERM},
                                                                       {AF_INET, SOCK_PACKET, 0, EPERM},
                                                                       {AF_INET, SOCK_STREAM, 132, EPROTONOSUPPORT},
                                                                       {AF_NETLINK, SOCK_RAW, 9, EPROTONOSUPPORT}}) {
    EXPECT_EQ(filtered(SYS_socket, family, type, protocol), error) << family << " " << type << " " << protocol;
  }
  int pair[2];
  EXPECT_EQ(filtered(SYS_socketpair, long{AF_UNIX}, long{SOCK_STREAM}, 0L, pair), 0);
  EXPECT_EQ(filtered(SYS_socketpair, long{AF_TIPC}, long{SOCK_STREAM}, 0L, pair), EAFNOSUPPORT);
}

TEST(JobFilter, lets_a_debugger_work) {
  EXPECT_EQ(filtered(SYS_ptrace, long{PTRACE_TRACEME}, 0L, 0L, 0L), 0);
  EXPECT_EQ(filtered(SYS_personality, long{ADDR_NO_RANDOMIZE}), 0);
  EXPECT_EQ(filtered(SYS_personality, 0xffffffffL), 0);
  EXPECT_EQ(filtered(SYS_personality, 0L), 0);
  EXPECT_EQ(filtered(SYS_personality, long{READ_IMPLIES_EXEC}), EPERM);
  EXPECT_EQ(filtered(SYS_personality, long{ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC}), EPERM);
}

TEST(JobFilter, denies_typing_into_a_terminal_whatever_stands_in_the_upper_half) {
  for (const unsigned long request : {TIOCSTI, TIOCLINUX, TIOCSETD}) {
    EXPECT_EQ(filtered(SYS_ioctl, -1L, request, 0L), EPERM);
    EXPECT_EQ(filtered(SYS_ioctl, -1L, request | 1UL << 32, 0L), EPERM);
  }
  EXPECT_EQ(filtered(SYS_ioctl, -1L, long{TCGETS}, 0L), EBADF);
}

TEST(JobFilter, answers_calls_of_later_kernels_as_this_one_would) {
  for (const long number : {451L, 452L, 600L, 100'000L}) EXPECT_EQ(filtered(number, -1L, -1L, -1L), ENOSYS) << number;
  EXPECT_EQ(filtered(450L, -1L, -1L, -1L, -1L), EPERM);
}

#ifdef __x86_64__
TEST(JobFilter, has_no_back_door_for_other_architectures) {
  EXPECT_EQ(filtered(0x40000000L | SYS_getpid), ENOSYS);
  EXPECT_EQ(in_child([] {
              long result = 20;  // getpid of i386
              asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
              errno = static_cast<int>(-result);
              return result < 0 ? -1L : 0L;
            }),
            ENOSYS);
}
#endif

TEST(JobFilter, holds_for_what_is_executed) {
  EXPECT_EQ(in_child([] {
              execl("/bin/sh", "sh", "-c", "grep -q '^Seccomp:[[:space:]]*2' /proc/self/status", nullptr);
              return -1;
            }),
            0);
  EXPECT_EQ(guest::try_filter(), "");
}

/// The lines of /proc/self/status of a program that this process would execute, after `prepare`.
std::string status_after(const std::function<void()>& prepare) {
  int ends[2];
  if (pipe(ends) < 0) return "";
  const pid_t child = fork();
  if (child == 0) {
    prepare();
    dup2(ends[1], STDOUT_FILENO);
    execl("/bin/sh", "sh", "-c", "cat /proc/self/status; ulimit -S -c; ulimit -H -c; ulimit -H -l; ulimit -H -s",
          nullptr);
    _exit(127);
  }
  close(ends[1]);
  std::string text;
  char part[4096];
  for (ssize_t size; (size = read(ends[0], part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(size));
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return text;
}

TEST(Rights, nothing_executed_has_capabilities_not_even_as_root) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has rights to give up";
  std::string why = "not called";
  const std::string status = status_after([&] {
    if (!(why = guest::settle_rights()).empty()) _exit(1);
  });
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_THAT(status, HasSubstr(std::string(set) + ":\t0000000000000000"));
  }
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
}

TEST(Rights, a_core_file_is_bounded_and_only_for_who_asks) {
  const std::string status = status_after(guest::bound_resources);
  EXPECT_THAT(status, testing::EndsWith("\n0\n131072\n1024\n65536\n"));  // of 512 bytes, the last two of 1 KiB
}

TEST(CgroupParent, keeps_memory_for_the_system_on_machines_of_any_size) {
  constexpr std::uint64_t mib = 1 << 20;
  EXPECT_EQ(guest::memory_for_jobs(1024 * mib), 896 * mib);
  EXPECT_EQ(guest::memory_for_jobs(128 * mib), 80 * mib);
  EXPECT_EQ(guest::memory_for_jobs(16'384 * mib), (16'384 - 256) * mib);
  EXPECT_EQ(guest::memory_for_jobs(64 * mib), 32 * mib);
}

class ContainedJob : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto& piece : client_.hello().containment) {
      if (!piece.given && (piece.name == "namespaces" || piece.name == "network" || piece.name == "devices")) {
        GTEST_SKIP() << "this system gives no " << piece.name << ": " << piece.why;
      }
    }
  }
  std::string run(const std::string& code) {
    const JobOutcome outcome = client_.run(shell_job(code));
    return outcome.out() + outcome.err();
  }

  Guest guest_;
  Client client_ = guest_.connect();
};

TEST_F(ContainedJob, has_no_devices_but_those_that_programs_use) {
  EXPECT_EQ(run("ls /dev"), "fd\nfull\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n");
  EXPECT_EQ(run("echo x >/dev/null && head -c 2 /dev/zero | wc -c; echo y 2>/dev/null >/dev/full || echo full"),
            "2\nfull\n");
}

TEST_F(ContainedJob, opens_its_own_streams_once_more) {
  EXPECT_EQ(run("echo out >/dev/stdout; cat /dev/stdin; echo error >/dev/stderr"), "out\nerror\n");
}

TEST_F(ContainedJob, has_a_network_of_its_own_and_a_name) {
  EXPECT_EQ(run("tail -n +3 /proc/net/dev | cut -d: -f1; uname -n"), "    lo\npbot-vm\n");
}

TEST_F(ContainedJob, finds_a_network_that_no_other_job_has_used) {
  const std::string use =
      "python3 -c 'import socket; a = socket.socket(); a.bind((\"127.0.0.1\", 7777)); a.listen(); "
      "b = socket.create_connection((\"127.0.0.1\", 7777)); c, _ = a.accept(); c.send(b\"x\"); print(b.recv(1))'; "
      "tail -n +2 /proc/net/tcp | wc -l";
  const std::string packets = "awk '/lo:/ { print $3 }' /proc/net/dev";
  EXPECT_THAT(run(use), testing::StartsWith("b'x'\n"));
  EXPECT_EQ(run(packets), "0\n");
  EXPECT_THAT(run(use), testing::StartsWith("b'x'\n"));
}

TEST_F(ContainedJob, sees_of_the_kernels_files_what_programs_need) {
  EXPECT_EQ(
      run("for file in kcore kmsg keys kallsyms sysrq-trigger timer_list; do cat /proc/$file 2>/dev/null && echo read; "
          "(echo b >/proc/$file) 2>/dev/null && echo written; done; ls -A /proc/bus /proc/irq /sys/fs 2>/dev/null"),
      "/proc/bus:\n\n/proc/irq:\n\n/sys/fs:\n");
  EXPECT_EQ(run("grep -q processor /proc/cpuinfo && ls -d /sys/devices/system/cpu/cpu0; ls /sys"),
            "/sys/devices/system/cpu/cpu0\ndevices\nfs\nkernel\n");
}

TEST_F(ContainedJob, finds_nothing_of_the_machines_daemons_in_run) {
  EXPECT_EQ(run("find /run -type s; find /run -type p; touch /run/x"),
            "touch: cannot touch '/run/x': Read-only file system\n");
}

TEST_F(ContainedJob, is_stopped_by_the_size_of_its_file_systems_before_its_memory) {
  EXPECT_THAT(run("ulimit -f unlimited 2>/dev/null; df -k --output=size,itotal /tmp . /dev/shm | tail -n +2 | "
                  "awk '{ print ($1 > 0), $2 }'"),
              "1 16384\n1 16384\n1 4096\n");
}

}  // namespace
}  // namespace pbotvm::guest_test
