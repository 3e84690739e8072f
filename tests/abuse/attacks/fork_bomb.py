# abuse: forks without end and goes on when that is refused
# language: python3
# expect: \[Timed-out\]|\[Process limit\]
# machine: either
# endless: yes
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
