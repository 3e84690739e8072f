# abuse: stops itself and everything around it, so that its end never comes
# language: sh
# expect: \[Timed-out\]
# machine: either
# endless: yes
(sleep 1000) &
kill -STOP $! $$
echo never
