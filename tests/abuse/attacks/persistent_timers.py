# abuse: locks, watches and timers in numbers
# language: python3
# expect: end\Z
# machine: either
import ctypes, os

libc = ctypes.CDLL(None, use_errno=True)
count = 0
for _ in range(100000):
    timer = ctypes.c_void_p()
    if libc.timer_create(1, None, ctypes.byref(timer)) != 0:
        break
    count += 1
watch = libc.inotify_init()
for root, _, _ in os.walk("/usr/share"):
    if libc.inotify_add_watch(watch, root.encode(), 0xFFF) < 0:
        break
print("end")
