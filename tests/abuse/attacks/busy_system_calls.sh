# abuse: keeps the kernel busy
# language: bash
# expect: \[Timed-out\]
# machine: either
# endless: yes
for i in 1 2 3 4 5 6 7 8; do (while :; do : </dev/null; done) & done
while :; do /bin/true; done
