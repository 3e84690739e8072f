# abuse: fills the buffers of as many pipes as it gets, each as large as it may be
# language: python3
# expect: pipes [1-9]|\[Memory limit\]
# machine: either
import fcntl, os

count = 0
kept = []
try:
    while count < 100000:
        ends = os.pipe()
        kept.append(ends)
        try:
            fcntl.fcntl(ends[1], 1031, 1 << 20)
        except OSError:
            pass
        os.set_blocking(ends[1], False)
        try:
            while True:
                os.write(ends[1], b"x" * 65536)
        except BlockingIOError:
            pass
        count += 1
except OSError:
    pass
print("pipes", count)
