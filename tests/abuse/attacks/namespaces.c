// abuse: makes or enters namespaces, to become root in one
// language: c11
// never: ALLOWED
// expect: end\Z
// machine: kept
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
  static const int kinds[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};
  for (int i = 0; i < 7; i++) {
    if (unshare(kinds[i]) == 0) printf("ALLOWED unshare %x\n", kinds[i]);
    long child = syscall(SYS_clone, kinds[i] | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    if (child > 0) printf("ALLOWED clone %x\n", kinds[i]);
    unsigned long long more[11];
    memset(more, 0, sizeof more);
    more[0] = (unsigned)kinds[i];
    more[4] = SIGCHLD;
    child = syscall(SYS_clone3, more, sizeof more);
    if (child == 0) _exit(0);
    if (child > 0) printf("ALLOWED clone3 %x\n", kinds[i]);
  }
  static const char *names[] = {"pid", "mnt", "net", "ipc", "uts", "user"};
  for (int i = 0; i < 6; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/1/ns/%s", names[i]);
    int fd = open(path, O_RDONLY);
    if (fd >= 0 && setns(fd, 0) == 0) printf("ALLOWED setns %s\n", names[i]);
  }
  puts("end");
  return 0;
}
