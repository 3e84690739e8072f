# abuse: leaves a socket without a file, which the next job could reach
# language: python3
# expect: \Alistening\Z
# machine: kept
# then: cat /proc/net/unix | grep -c left-socket => \A0
import os, socket, time

if os.fork() == 0:
    s = socket.socket(socket.AF_UNIX)
    s.bind("\0left-socket")
    s.listen()
    time.sleep(100)
time.sleep(0.3)
print("listening")
