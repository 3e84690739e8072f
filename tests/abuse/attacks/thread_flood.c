// abuse: starts threads until that is refused, and keeps them
// language: c11
// expect: refused after [1-9]\d*
// machine: either
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *wait_for_ever(void *nothing) {
  pause();
  return nothing;
}
int main(void) {
  int count = 0;
  pthread_t thread;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  while (count < 100000 && pthread_create(&thread, &small, wait_for_ever, 0) == 0) count++;
  printf("refused after %d\n", count);
  return 0;
}
