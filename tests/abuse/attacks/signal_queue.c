// abuse: queues signals until the kernel keeps no more for this user
// language: c11
// expect: queued \d+
// machine: kept
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, 0);
  int count = 0;
  union sigval value = {0};
  while (count < 1000000 && sigqueue(getpid(), SIGRTMIN, value) == 0) count++;
  printf("queued %d\n", count);
  return 0;
}
