# abuse: a crash with as much memory as it gets, to leave an enormous core file
# language: bash
# expect: end
# machine: either
# then: find / -name 'core*' -size +0 -user vm 2>/dev/null | wc -l => \A0\Z
ulimit -c unlimited 2>/dev/null
cat >x.c <<'C'
#include <stdlib.h>
#include <string.h>
int main(void) { memset(malloc(200 << 20), 1, 200 << 20); abort(); }
C
gcc x.c -o x && ./x
ls -l core* 2>/dev/null | awk '{ if ($5 > 17000000) print "TOO LARGE", $5 }'
echo end
