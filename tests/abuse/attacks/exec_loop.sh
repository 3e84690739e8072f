# abuse: becomes another program again and again
# language: sh
# expect: \[Timed-out\]
# machine: either
# endless: yes
exec sh "$0"
