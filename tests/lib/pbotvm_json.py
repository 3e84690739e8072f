# SPDX-License-Identifier: MIT
"""A client that wants its reply in JSON and reads it as it comes."""

import base64
import json
import socket
import struct


def reset_at_close(connection):
    """What the other end sees when it is closed is a reset, as from a system that has ended."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class JsonClient:
    """One request. `keys` are those of its object; "reply":"json" is added."""

    def __init__(self, host, code, timeout=60, **keys):
        self.socket = host.connect(timeout)
        self.stream = self.socket.makefile("rb")
        self.events = []
        self.say(code=code, reply="json", **{key.replace("_", "-"): value for key, value in keys.items()})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stream.close()
        self.socket.close()

    def say(self, **keys):
        self.socket.sendall(json.dumps(keys).encode() + b"\n")

    def vanish(self):
        reset_at_close(self.socket)
        self.close()

    def next(self):
        """The next event; None when the host has closed."""
        line = self.stream.readline()
        if not line:
            return None
        self.events.append(json.loads(line))
        return self.events[-1]

    def await_text(self, text):
        """Reads on until the output holds the text."""
        while text not in output_text(self.events):
            if self.next() is None:
                raise AssertionError(f"no {text!r} in {self.events}")

    def rest(self):
        """All events to the last one, those that were read before included."""
        while self.next() is not None:
            pass
        return self.events


def output_bytes(events, stream=None):
    pieces = [content_of(e) for e in events if e["event"] == "output" and stream in (None, e["stream"])]
    return b"".join(pieces)


def output_text(events, stream=None):
    return output_bytes(events, stream).decode(errors="replace")


def content_of(event):
    return event["text"].encode() if "text" in event else base64.b64decode(event["base64"])


def run(host, code, **keys):
    with JsonClient(host, code, **keys) as client:
        return client.rest()
