# abuse: closes every descriptor it has, its output first
# language: python3
# expect: \Abefore\Z
# machine: kept
import os, time

os.write(1, b"before\n")
os.closerange(0, 1024)
time.sleep(0.3)
os._exit(0)
