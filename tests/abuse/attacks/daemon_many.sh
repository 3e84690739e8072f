# abuse: leaves processes behind that ignore what can be ignored, and goes on writing into its output later
# language: sh
# expect: \Aleft\Z
# machine: kept
# then: sleep 1; echo mine => \Amine\Z
for i in 1 2 3 4 5 6 7 8; do
  (trap '' TERM HUP INT; setsid sh -c 'trap "" TERM HUP INT; sleep 0.7; echo LATE; sleep 100' &) &
done
echo left
