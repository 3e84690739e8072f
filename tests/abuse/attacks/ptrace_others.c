// abuse: looks into and takes over processes that are not its own
// language: c11
// never: ALLOWED
// expect: end\Z
// machine: kept
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>
int main(void) {
  for (pid_t pid = 1; pid < 2000; pid++) {
    if (pid == getpid()) continue;
    char room[16];
    struct iovec here = {room, sizeof room}, there = {(void *)0x400000, sizeof room};
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) printf("ALLOWED ptrace %d\n", pid);
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) > 0) printf("ALLOWED read %d\n", pid);
  }
  puts("end");
  return 0;
}
