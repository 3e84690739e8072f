# abuse: looks for a way out through the network
# language: python3
# never: ALLOWED
# expect: interfaces \['lo'\].*end\Z
# machine: kept
import socket

print("interfaces", [name for _, name in socket.if_nameindex()])
for where in (("10.0.2.2", 22), ("169.254.169.254", 80), ("192.0.2.1", 80), ("8.8.8.8", 53), ("127.0.0.1", 9000)):
    with socket.socket() as s:
        s.settimeout(0.5)
        try:
            s.connect(where)
            print("ALLOWED", where)
        except OSError:
            pass
try:
    print("ALLOWED", socket.getaddrinfo("example.com", 80))
except OSError:
    pass
print("end")
