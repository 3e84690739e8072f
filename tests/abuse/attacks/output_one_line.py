# abuse: a line without an end
# language: python3
# expect: xxxx.*\[Output cut at \d+ bytes\]\Z
# machine: either
import os

while True:
    os.write(1, b"x" * 65536)
