# abuse: directories in directories, deeper than any path can say
# language: python3
# expect: depth \d+|\[Memory limit\]
# machine: either
# then: ls -A /tmp | wc -l => \A0\Z
import os

depth = 0
os.chdir("/tmp")
try:
    while depth < 20000:
        os.mkdir("d" * 100)
        os.chdir("d" * 100)
        depth += 1
except OSError:
    pass
print("depth", depth)
