// SPDX-License-Identifier: MIT
// Runs while pbotvm-guest is built: writes the filter of system calls that every job runs under (seccomp(2)) as C++
// source. What it holds is the same on every system, so neither libseccomp's size nor its time has a
// place in the guest.
//
// What no program of a job needs is denied, the rest is allowed; docs/containment.md says which and why. The answers
// are those of a kernel that was built without the thing, or that misses the right: programs know how to go on from
// there.

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// Linux 6.1's, set_mempolicy_home_node. Numbers are the same on all architectures from 424 on. What came later is
// answered as that kernel would: it is unknown what it does.
constexpr std::uint32_t last_system_call = 450;

constexpr const char* not_permitted[] = {
    // another view of the file system
    "mount", "umount", "umount2", "pivot_root", "chroot", "mount_setattr", "move_mount", "open_tree", "fsopen",
    "fsconfig", "fsmount", "fspick", "name_to_handle_at", "open_by_handle_at", "fanotify_init", "fanotify_mark",
    "quotactl", "quotactl_fd", "acct", "swapon", "swapoff",
    // namespaces
    "unshare", "setns",
    // large parts of the kernel that only the system itself uses
    "add_key", "request_key", "keyctl", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "memfd_secret", "init_module", "finit_module", "delete_module", "create_module",
    "query_module", "get_kernel_syms", "kexec_load", "kexec_file_load", "reboot", "nfsservctl", "lookup_dcookie",
    "uselib", "ustat", "sysfs", "_sysctl", "modify_ldt", "iopl", "ioperm", "vhangup", "syslog",
    // what belongs to the machine
    "settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex",
    "sethostname", "setdomainname",
    // where memory lies, and looking into other processes by anything but ptrace's own calls
    "mbind", "migrate_pages", "move_pages", "set_mempolicy", "set_mempolicy_home_node", "kcmp", "pidfd_getfd"};

constexpr scmp_datum_t new_namespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                           CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

// Types into a terminal, does the console's secrets, makes the kernel load a line discipline.
constexpr scmp_datum_t denied_terminal_calls[] = {TIOCSTI, TIOCLINUX, TIOCSETD};

constexpr scmp_datum_t socket_type = 0xf;       // the rest are flags
constexpr scmp_datum_t socket_packet = 10;      // SOCK_PACKET, a way to AF_PACKET
constexpr scmp_datum_t whole_int = 0xffffffff;  // the kernel looks at no more of an int, whatever stands above
constexpr std::uint32_t ask_personality = 0xffffffff;

void check(int result, const std::string& what) {
  if (result < 0) throw std::runtime_error(what + ": error " + std::to_string(-result));
}

class Rules {
 public:
  Rules() : context_(seccomp_init(SCMP_ACT_ALLOW)) {
    if (!context_) throw std::runtime_error("seccomp_init");
    // A call by way of another architecture's entry (on x86-64: i386, x32).
    check(seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)), "other architectures");
    check(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "binary tree");
  }

  template <typename... Conditions>
  void deny(const char* name, int error, Conditions... conditions) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) throw std::runtime_error(std::string("libseccomp knows no ") + name);
    if (number < 0) return;  // not on this architecture
    check(seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)), number,
                           sizeof...(conditions), conditions...),
          name);
  }

  std::vector<sock_filter> program() const {
    const int file = memfd_create("filter", MFD_CLOEXEC);
    check(seccomp_export_bpf(context_.get(), file), "export");
    std::vector<sock_filter> filter(static_cast<std::size_t>(lseek(file, 0, SEEK_END)) / sizeof(sock_filter));
    const auto size = filter.size() * sizeof(sock_filter);
    if (pread(file, filter.data(), size, 0) != static_cast<ssize_t>(size)) throw std::runtime_error("read");
    close(file);
    return filter;
  }

 private:
  struct Release {
    void operator()(void* context) const { seccomp_release(context); }
  };
  std::unique_ptr<void, Release> context_;
};

void deny_namespaces(Rules& rules) {
  rules.deny("clone3", ENOSYS);  // its flags lie in memory, out of a filter's sight; the C library falls back to clone
  for (const auto flag : new_namespaces) rules.deny("clone", EPERM, SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
}

// Left are AF_UNIX, and of AF_INET, AF_INET6 and the netlink socket for addresses and routes what needs no rights. A
// family that the kernel lacks it would load from a module, asked by whomever.
void deny_sockets(Rules& rules) {
  rules.deny("socket", EAFNOSUPPORT, SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
  for (scmp_datum_t family = 0; family < AF_NETLINK; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6) continue;
    rules.deny("socket", EAFNOSUPPORT, SCMP_A0(SCMP_CMP_EQ, family));
  }
  rules.deny("socket", EPROTONOSUPPORT, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_NE, 0));  // NETLINK_ROUTE
  for (const scmp_datum_t family : {AF_INET, AF_INET6}) {
    rules.deny("socket", EPROTONOSUPPORT, SCMP_A0(SCMP_CMP_EQ, family), SCMP_A2(SCMP_CMP_GT, IPPROTO_UDP));
    for (const scmp_datum_t type : {scmp_datum_t{SOCK_RAW}, scmp_datum_t{SOCK_RDM}, scmp_datum_t{SOCK_SEQPACKET},
                                    scmp_datum_t{SOCK_DCCP}, socket_packet}) {
      rules.deny("socket", EPERM, SCMP_A0(SCMP_CMP_EQ, family), SCMP_A1(SCMP_CMP_MASKED_EQ, socket_type, type));
    }
  }
  rules.deny("socketpair", EAFNOSUPPORT, SCMP_A0(SCMP_CMP_NE, AF_UNIX));
}

Rules make_rules() {
  Rules rules;
  for (const char* name : not_permitted) rules.deny(name, EPERM);
  deny_namespaces(rules);
  deny_sockets(rules);
  for (const auto request : denied_terminal_calls) {
    rules.deny("ioctl", EPERM, SCMP_A1(SCMP_CMP_MASKED_EQ, whole_int, request));
  }
  return rules;
}

// What libseccomp has no words for, and so comes before its program: a range of calls, and an argument that must be one
// of several. These look at numbers of this architecture; the others' calls are denied behind this anyway.
std::vector<sock_filter> prelude() {
  constexpr std::uint32_t number = offsetof(seccomp_data, nr), first = offsetof(seccomp_data, args);
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lower half of an argument comes first");
  const auto personality_call = static_cast<std::uint32_t>(seccomp_syscall_resolve_name("personality"));
  return {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last_system_call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, personality_call, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, first),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ADDR_NO_RANDOMIZE, 2, 0),  // what a debugger starts programs with
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ask_personality, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
  };
}

void write_source(const char* path, const std::vector<sock_filter>& filter) {
  std::ofstream file(path);
  file << "// Made by guest/filter/make_filter.cpp.\n#include <linux/filter.h>\n#include \"seccomp_filter.h\"\n"
          "namespace pbotvm::guest {\nextern const sock_filter job_filter[] = {\n";
  for (const auto& step : filter) {
    file << '{' << step.code << ',' << unsigned{step.jt} << ',' << unsigned{step.jf} << ',' << step.k << "},\n";
  }
  file << "};\nextern const unsigned short job_filter_size = " << filter.size() << ";\n}  // namespace pbotvm::guest\n";
  if (!file.flush()) throw std::runtime_error(std::string("cannot write ") + path);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: make-filter FILE\n", stderr);
    return 64;
  }
  try {
    std::vector<sock_filter> filter = prelude();
    const std::vector<sock_filter> rules = make_rules().program();
    filter.insert(filter.end(), rules.begin(), rules.end());
    write_source(argv[1], filter);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make-filter: %s\n", error.what());
    return 1;
  }
}
