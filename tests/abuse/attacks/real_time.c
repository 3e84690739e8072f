// abuse: takes the processor before everyone else
// language: c11
// never: ALLOWED
// expect: end\Z
// machine: kept
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
int main(void) {
  struct sched_param first = {.sched_priority = 99}, lowest = {.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_FIFO, &first) == 0) puts("ALLOWED first");
  if (sched_setscheduler(0, SCHED_RR, &lowest) == 0) puts("ALLOWED lowest");
  if (setpriority(PRIO_PROCESS, 0, -20) == 0) puts("ALLOWED nice");
  puts("end");
  return 0;
}
