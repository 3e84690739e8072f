# abuse: floods both streams from several processes
# language: python3
# expect: \[Output cut at \d+ bytes\]\Z
# machine: either
import os

os.fork()
os.fork()
while True:
    os.write(1, b"o" * 65536)
    os.write(2, b"e" * 65536)
