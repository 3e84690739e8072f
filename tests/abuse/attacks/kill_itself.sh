# abuse: ends by the signal that a limit would have sent
# language: sh
# expect: 137|SIGKILL|Killed
# machine: either
kill -KILL $$
