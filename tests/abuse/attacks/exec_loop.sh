# abuse: becomes another program again and again
# language: sh
# expect: \[Timed-out\]
# machine: either
exec sh "$0"
