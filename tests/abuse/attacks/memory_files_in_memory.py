# abuse: fills files that exist in memory only
# language: python3
# expect: \[Memory limit\]|\[File size limit\]|File too large|No space|refused
# machine: either
# never: survived
import os

files = []
block = b"x" * (1 << 20)
try:
    for _ in range(100):
        files.append(os.memfd_create("room"))
        for _ in range(30):
            os.write(files[-1], block)
except OSError as error:
    print("refused", error)
else:
    print("survived")
