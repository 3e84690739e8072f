// abuse: forks without end, in every child as well
// language: c11
// expect: \[Timed-out\]|\[Process limit\]
// machine: either
// endless: yes
#include <unistd.h>
int main(void) {
  for (;;) fork();
}
