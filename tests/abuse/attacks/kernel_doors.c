// abuse: calls of the kernel that no program here needs
// language: c11
// never: ALLOWED
// expect: end\Z
// machine: kept
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/syscall.h>
#include <unistd.h>
#define TRY(name, ...) \
  if (syscall(SYS_##name, ##__VA_ARGS__) >= 0) puts("ALLOWED " #name)
int main(void) {
  static char room[256];
  TRY(bpf, 0, room, sizeof room);
  TRY(io_uring_setup, 8, room);
  TRY(perf_event_open, room, 0, -1, -1, 0);
  TRY(userfaultfd, 0);
  TRY(init_module, room, sizeof room, "");
  TRY(finit_module, 0, "", 0);
  TRY(delete_module, "overlay", 0);
  TRY(kexec_load, 0, 0, 0, 0);
  TRY(syslog, 3, room, sizeof room);
  TRY(sethostname, "other", 5);
  TRY(setdomainname, "other", 5);
  TRY(acct, "/tmp/acct");
  TRY(quotactl, 0, 0, 0, 0);
  TRY(fanotify_init, 0, 0);
  TRY(open_by_handle_at, -100, room, 0);
  TRY(vhangup);
  if (iopl(3) == 0) puts("ALLOWED iopl");
  puts("end");
  return 0;
}
