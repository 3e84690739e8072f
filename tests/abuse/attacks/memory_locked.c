// abuse: locks memory so that it cannot be taken away
// language: c11
// expect: refused
// never: ALLOWED
// machine: either
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
int main(void) {
  char *room = malloc(256 << 20);
  puts(mlock(room, 256 << 20) == 0 ? "ALLOWED mlock" : "refused");
  puts(mlockall(MCL_CURRENT | MCL_FUTURE) == 0 ? "locked what it has" : "refused");
  return 0;
}
