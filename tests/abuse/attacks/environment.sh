# abuse: what the guest program's own environment and descriptors tell
# language: bash
# never: PBOTVM|LEAK
# expect: end\Z
# machine: kept
env
for fd in /proc/self/fd/*; do case ${fd##*/} in 0 | 1 | 2 | 3 | 255) ;; *) [ -e "$fd" ] && echo "LEAK $fd $(readlink "$fd")" ;; esac; done
cat /proc/$$/environ | tr '\0' '\n' | grep -i secret
echo end
