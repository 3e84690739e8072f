# abuse: makes empty files until there is no room for another name
# language: python3
# expect: stopped after \d+|\[Memory limit\]|\[Timed-out\]
# machine: either
import os

count = 0
try:
    while count < 10_000_000:
        os.close(os.open(f"/tmp/{count}", os.O_CREAT | os.O_WRONLY))
        count += 1
except OSError as error:
    print("stopped after", count, error)
