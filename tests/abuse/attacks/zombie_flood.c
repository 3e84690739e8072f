// abuse: children that end and are never waited for
// language: c11
// expect: refused after [1-9]\d*
// machine: either
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>
int main(void) {
  int count = 0;
  while (count < 100000) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    if (child < 0) break;
    count++;
  }
  printf("refused after %d\n", count);
  return 0;
}
