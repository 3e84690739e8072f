# abuse: opens files until there is no descriptor left, in many processes
# language: python3
# expect: opened [1-9]\d+
# machine: either
import os

for _ in range(4):
    os.fork()
count = 0
try:
    while True:
        os.open("/dev/null", os.O_RDONLY)
        count += 1
except OSError:
    pass
os.write(1, b"opened %d\n" % count)
