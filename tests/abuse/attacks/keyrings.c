// abuse: leaves a secret in the kernel's keyrings for the next job
// language: c11
// never: ALLOWED
// expect: end\Z
// machine: kept
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
  for (int ring = -5; ring <= -1; ring++) {
    if (syscall(SYS_add_key, "user", "secret", "x", 1, ring) >= 0) printf("ALLOWED add_key %d\n", ring);
    if (syscall(SYS_keyctl, 0, ring, 1) >= 0) printf("ALLOWED keyctl %d\n", ring);
  }
  if (syscall(SYS_request_key, "user", "secret", 0, 0) >= 0) puts("ALLOWED request_key");
  puts("end");
  return 0;
}
