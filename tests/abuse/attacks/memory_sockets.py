# abuse: fills the buffers of as many sockets as it gets
# language: python3
# expect: sockets [1-9]|\[Memory limit\]
# machine: either
import socket

kept = []
try:
    while len(kept) < 100000:
        pair = socket.socketpair()
        kept.append(pair)
        pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
        pair[0].setblocking(False)
        try:
            while True:
                pair[0].send(b"x" * 65536)
        except BlockingIOError:
            pass
except OSError:
    pass
print("sockets", len(kept))
