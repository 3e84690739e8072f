# abuse: sockets that see or forge other people's packets
# language: python3
# never: ALLOWED
# expect: end\Z
# machine: kept
import socket

for name, family, kind, protocol in (
    ("packet", 17, socket.SOCK_RAW, 0x300), ("packet datagram", 17, socket.SOCK_DGRAM, 0x300), ("icmp", socket.AF_INET, socket.SOCK_RAW, 1),
    ("raw v6", socket.AF_INET6, socket.SOCK_RAW, 58), ("netlink audit", 16, socket.SOCK_RAW, 9), ("netlink filter", 16, socket.SOCK_RAW, 12),
    ("crypto", 38, 5, 0), ("bluetooth", 31, 3, 0), ("key", 15, 3, 2), ("xdp", 44, 3, 0), ("vsock", 40, 1, 0), ("can", 29, 3, 1), ("rds", 21, 5, 0)):
    try:
        socket.socket(family, kind, protocol)
        print("ALLOWED", name)
    except OSError as error:
        print("refused", name, error.strerror)
print("end")
