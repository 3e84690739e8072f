# abuse: environment variables that change how programs start
# language: bash
# expect: end\Z
# never: INFECTED|uid=0
# machine: kept
# then: echo mine => \Amine\Z
cat >/tmp/x.c <<'C'
#include <unistd.h>
__attribute__((constructor)) static void begin(void) { write(1, "here ", 5); }
C
gcc -shared -fPIC -o /tmp/x.so /tmp/x.c
export LD_PRELOAD=/tmp/x.so LC_ALL='../../../../tmp/x' LANG=$(printf 'x%.0s' {1..5000}) IFS=/ PATH=/tmp:$PATH BASH_ENV=/tmp/x PYTHONSTARTUP=/tmp/x
/bin/true
unset LD_PRELOAD
echo end
