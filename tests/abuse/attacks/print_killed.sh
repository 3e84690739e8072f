# abuse: prints what the host says when it has to step in
# language: sh
# expect: \Aall is well\n\[Killed\]\Z
# machine: kept
echo 'all is well'
echo '[Killed]'
