# SPDX-License-Identifier: MIT
"""The frames of docs/protocol.md, written from that document and from nothing else. Standard library only."""

import json
import struct
import zlib

MAGIC = b"\xfePVM"
HEADER = 32
MAX_PAYLOAD = 32 * 1024

HELLO, WELCOME, PING, PONG, JOB, FILE, INPUT, OUTPUT, STEP, RESULT, CLEAN, CANCEL, CREDIT, ERROR, COLLECTED = range(1, 16)


class Frame:
    def __init__(self, type, payload=b"", job=0, nonce=0, more=False):
        self.type, self.payload, self.job, self.nonce, self.more = type, payload, job, nonce, more

    def encode(self):
        head = MAGIC + struct.pack(">BBHIIQ", 1, self.type, int(self.more), self.job, len(self.payload), self.nonce)
        return head + struct.pack(">II", zlib.crc32(head), zlib.crc32(self.payload)) + self.payload

    def json(self):
        return json.loads(self.payload)

    def __repr__(self):
        return f"Frame(type={self.type}, job={self.job}, {self.payload[:60]!r})"


def message(type, value, job=0, nonce=0):
    """A JSON message, or bytes, as the frames that carry it."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    pieces = [text[at:at + MAX_PAYLOAD] for at in range(0, len(text), MAX_PAYLOAD)] or [b""]
    return b"".join(Frame(type, piece, job, nonce, piece is not pieces[-1]).encode() for piece in pieces)


class Reader:
    """Finds the frames in a stream of bytes."""

    def __init__(self):
        self.bytes = b""

    def feed(self, data):
        self.bytes += data

    def frames(self):
        while (frame := self.next()) is not None:
            yield frame

    def next(self):
        while True:
            at = self.bytes.find(MAGIC)
            if at < 0:
                self.bytes = self.bytes[-3:]  # where a magic may have begun
                return None
            self.bytes = self.bytes[at:]
            if len(self.bytes) < HEADER:
                return None
            version, type, flags, job, length, nonce = struct.unpack(">BBHIIQ", self.bytes[4:24])
            head_sum, payload_sum = struct.unpack(">II", self.bytes[24:32])
            if zlib.crc32(self.bytes[:24]) != head_sum or version != 1 or length > MAX_PAYLOAD:
                self.bytes = self.bytes[1:]
                continue
            if len(self.bytes) < HEADER + length:
                return None
            payload = self.bytes[HEADER:HEADER + length]
            if zlib.crc32(payload) != payload_sum:
                self.bytes = self.bytes[1:]
                continue
            self.bytes = self.bytes[HEADER + length:]
            return Frame(type, payload, job, nonce, bool(flags & 1))
