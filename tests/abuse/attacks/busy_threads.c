// abuse: keeps every processor busy with more threads than there are processors
// language: c11
// expect: \[Timed-out\]
// machine: either
// endless: yes
#include <pthread.h>
static void *spin(void *nothing) {
  for (volatile int i = 0;; i++) {
  }
  return nothing;
}
int main(void) {
  pthread_t thread;
  for (int i = 0; i < 32; i++) pthread_create(&thread, 0, spin, 0);
  spin(0);
}
