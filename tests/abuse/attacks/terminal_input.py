# abuse: types into a terminal that others read
# language: python3
# never: ALLOWED
# expect: end\Z
# machine: kept
import fcntl, glob, os, termios

for path in ["/dev/tty", "/dev/console", *glob.glob("/dev/tty*"), *glob.glob("/dev/pts/*")]:
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        fcntl.ioctl(fd, termios.TIOCSTI, b"x")
        print("ALLOWED", path)
    except OSError:
        pass
print("end")
