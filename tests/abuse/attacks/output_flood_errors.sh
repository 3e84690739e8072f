# abuse: prints errors without end
# language: sh
# expect: \Ae\ne\n.*\[Output cut at \d+ bytes\]\Z
# machine: either
yes e >&2
