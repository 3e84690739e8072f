// abuse: sets the clock
// language: c11
// never: ALLOWED
// expect: end\Z
// machine: kept
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
int main(void) {
  struct timespec past = {1000, 0};
  struct timeval past_too = {1000, 0};
  struct timex change = {.modes = ADJ_SETOFFSET, .time = {-1000, 0}};
  if (clock_settime(CLOCK_REALTIME, &past) == 0) puts("ALLOWED clock_settime");
  if (settimeofday(&past_too, 0) == 0) puts("ALLOWED settimeofday");
  if (adjtimex(&change) >= 0) puts("ALLOWED adjtimex");
  if (time(0) < 100000) puts("ALLOWED something");
  puts("end");
  return 0;
}
