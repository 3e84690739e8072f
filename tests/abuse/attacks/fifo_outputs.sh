# abuse: pipes, sockets and devices among what is taken back
# language: python3
# outputs: **
# expect: "event":"file","path":"good.txt".*"event":"end"
# never: "event":"file","path":"(pipe|socket)"
# machine: kept
import os, socket

os.mkfifo("pipe")
socket.socket(socket.AF_UNIX).bind("socket")
for name, kind in (("null", 0o020666), ("disk", 0o060666)):
    try:
        os.mknod(name, kind, os.makedev(1, 3))
        print("MADE", name)
    except OSError as error:
        print(name, error.strerror)
open("good.txt", "w").write("good")
