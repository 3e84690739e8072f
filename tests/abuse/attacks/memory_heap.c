// abuse: takes memory and uses it until there is none
// language: c11
// expect: \[Memory limit\]
// machine: either
// never: survived
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
  for (int i = 0; i < 100000; i++) {
    char *piece = malloc(1 << 20);
    if (!piece) break;
    memset(piece, i, 1 << 20);
  }
  puts("survived");
  return 0;
}
