# abuse: asks the kernel for a crash, by file, keyboard and reboot
# language: python3
# never: ALLOWED
# expect: end\Z
# machine: kept
import ctypes, os

for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/sysrq"):
    try:
        with open(path, "w") as file:
            file.write("c")
        print("ALLOWED", path)
    except OSError as error:
        print("refused", path, error.strerror)
libc = ctypes.CDLL(None, use_errno=True)
for command in (0x01234567, 0xCDEF0123, 0x4321FEDC, 0):
    if libc.reboot(command) == 0:
        print("ALLOWED reboot", hex(command))
print("end")
