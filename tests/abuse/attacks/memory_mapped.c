// abuse: takes shared memory that belongs to no file
// language: c11
// expect: \[Memory limit\]|refused
// machine: either
// never: survived
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
int main(void) {
  for (int i = 0; i < 4096; i++) {
    if (mmap(0, 16 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED) {
      puts("refused");
      return 0;
    }
  }
  puts("survived");
  return 0;
}
