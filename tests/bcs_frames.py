#!/usr/bin/env python3
"""Frames of BCS for tests, written from specs/bcs.txt alone.

bcs_frames.py make FRAME...	prints the bytes of frames
bcs_frames.py show [-t]		prints the frames on standard input, one a line;
				-t: without the texts of statuses

FRAME is register:NAME, send:TEXT, deliver:FROM:TEXT, status:CODE[:TEXT],
sendfile:NAME:CONTENTS, fnotify:USER:FILE, getfile:NAME, recvfile:CONTENTS or
hex:BYTES; "\\xHH", "\\n" and so on stand for bytes, "@FILE" as the last part
for a file's contents. ok is status:0:.
"""
import re
import struct
import sys

ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b"0": b"\0"}


def unescape(text):
    def one(m):
        code = m.group(1)
        if code[:1] == b"x":
            return bytes([int(code[1:], 16)])
        return ESCAPES[code]
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.)", one, text)


def part(text):
    if text[:1] == b"@":
        with open(text[1:], "rb") as f:
            return f.read()
    return unescape(text)


def string(data):
    return struct.pack(">H", len(data)) + data


def make(frame):
    kind, _, rest = frame.partition(b":")
    if kind == b"ok":
        return b"\4\0" + string(b"")
    if kind == b"hex":
        return bytes.fromhex(rest.decode())
    if kind == b"register":
        return b"\1" + string(part(rest))
    if kind == b"send":
        return b"\2" + string(part(rest))
    if kind == b"getfile":
        return b"\7" + string(part(rest))
    first, _, second = rest.partition(b":")
    if kind == b"deliver":
        return b"\3" + string(part(first)) + string(part(second))
    if kind == b"status":
        return b"\4" + bytes([int(first)]) + string(part(second))
    if kind == b"fnotify":
        return b"\6" + string(part(first)) + string(part(second))
    if kind == b"sendfile":
        data = part(second)
        return (b"\5" + string(part(first)) +
                struct.pack(">I", len(data)) + data)
    if kind == b"recvfile":
        data = part(rest)
        return b"\x08" + struct.pack(">I", len(data)) + data
    raise SystemExit("no such frame: %r" % frame)


class Cut(Exception):
    pass


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise Cut
        self.at += n
        return self.data[self.at - n:self.at]

    def u8(self):
        return self.take(1)[0]

    def string(self):
        return self.take(struct.unpack(">H", self.take(2))[0])

    def contents(self):
        return self.take(struct.unpack(">I", self.take(4))[0])


def escape(data):
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        return "".join(c if " " <= c <= "~" else "\\x%02x" % ord(c)
                       for c in text)
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(
        "\r", "\\r").replace("\0", "\\0")


def frames(data):
    """(kind, field...) of each frame; ("cut", bytes) if the last is."""
    r = Reader(data)
    while r.at < len(data):
        begin = r.at
        try:
            kind = r.u8()
            if kind == 3:
                yield ("deliver", r.string(), r.string())
            elif kind == 4:
                yield ("status", r.u8(), r.string())
            elif kind == 6:
                yield ("fnotify", r.string(), r.string())
            elif kind == 8:
                yield ("recvfile", r.contents())
            else:
                yield ("unknown", data[begin:])
                return
        except Cut:
            yield ("cut", data[begin:])
            return


def show(data, texts):
    for frame in frames(data):
        if frame[0] == "status" and not texts:
            frame = frame[:2]
        print(":".join([frame[0]] + [
            escape(f) if isinstance(f, bytes) else str(f)
            for f in frame[1:]]))


def main():
    if sys.argv[1] == "make":
        for arg in sys.argv[2:]:
            sys.stdout.buffer.write(make(arg.encode("utf-8",
                                                    "surrogateescape")))
    else:
        show(sys.stdin.buffer.read(), "-t" not in sys.argv)


if __name__ == "__main__":
    main()
