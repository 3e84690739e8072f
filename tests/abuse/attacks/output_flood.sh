# abuse: prints without end
# language: sh
# expect: \Ay\ny\n.*\[Output cut at \d+ bytes\]\Z
# machine: either
yes
