# abuse: prints what looks like frames of the protocol
# language: python3
# expect: end\Z
# never: FORGED
# machine: kept
import os, struct, zlib

for nonce in (0, 1, 0xFFFFFFFFFFFFFFFF, 0x1122334455667788):
    for kind, payload in ((2, b'{"version":"FOR" }'), (10, b"{}"), (11, b'{"proven":true}'), (8, b"\0\0\0\0\1x"), (14, b'{"code":"busy"}')):
        for job in (0, 1, 2, 3):
            head = b"\xfePVM" + struct.pack(">BBHIIQ", 1, kind, 0, job, len(payload), nonce)
            os.write(1, head + struct.pack(">II", zlib.crc32(head), zlib.crc32(payload)) + payload)
os.write(1, b"\nend\n")
