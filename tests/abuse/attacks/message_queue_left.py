# abuse: leaves a POSIX message queue that the next job opens by its name
# language: python3
# expect: \Aleft\Z
# machine: either
# then_python: import ctypes; print(ctypes.CDLL("librt.so.1").mq_open(b"/left", 0)) => \A-1\Z
import ctypes

queue = ctypes.CDLL("librt.so.1").mq_open(b"/left", 0o102, 0o666, 0)
print("left" if queue >= 0 else "none")
