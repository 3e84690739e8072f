# abuse: doubles itself until nothing else runs
# language: bash
# expect: \[Timed-out\]|\[Process limit\]
# machine: either
# endless: yes
bomb() { bomb | bomb & }
bomb
sleep 60
