# abuse: kills and stops every process that it may signal
# language: bash
# machine: either
# endless: yes
# never: ALLOWED
kill -STOP 1 2>/dev/null
kill -KILL 1 2>/dev/null
kill -STOP $PPID 2>/dev/null
kill -KILL -1
echo end
