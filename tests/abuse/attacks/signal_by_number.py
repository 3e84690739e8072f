# abuse: looks for the guest program among all process numbers, to stop and to kill it
# language: python3
# expect: tried \d+
# machine: either
import os, signal

done = 0
for pid in list(range(1, 5000)) + [32768, 65536, 4194303]:
    if pid == os.getpid():
        continue
    for number in (signal.SIGSTOP, signal.SIGKILL):
        try:
            os.kill(pid, number)
            done += 1
        except OSError:
            pass
print("tried", done)
