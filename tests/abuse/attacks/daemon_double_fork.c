// abuse: leaves a daemon behind that left its session and lost its parent
// language: c11
// expect: \Aleft\Z
// machine: kept
// then: cat /proc/[0-9]*/comm | grep -c lingering => \A0
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(void) {
  if (fork() == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    prctl(PR_SET_NAME, "lingering");
    for (int i = 1; i < 65; i++) signal(i, SIG_IGN);
    for (int i = 0; i < 3; i++) close(i);
    for (;;) sleep(1);
  }
  usleep(200000);
  puts("left");
  return 0;
}
