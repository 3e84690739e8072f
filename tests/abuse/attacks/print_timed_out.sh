# abuse: prints the text of a time-out and ends as a killed program does
# language: sh
# expect: \A\[Timed-out\]\s+\[Exit 137\]
# machine: either
echo '[Timed-out]'
exit 137
