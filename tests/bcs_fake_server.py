#!/usr/bin/env python3
"""bcs_fake_server.py: a BCS server that does what it is told.

Written from specs/bcs.txt alone, not from the client it is for. Listens on
127.0.0.1, any port, for one client at a time, and answers ok to what it gets.
What it gets is told on standard output, one line each, in Python's escapes;
what it is to do is read from standard input:

    deliver NAME TEXT    fnotify USER FILE    status CODE TEXT
    raw BYTES            whatever they are
    flood N              as many delivers, from "flood", at once
    next CODE TEXT       the next answer; "next -": none is given
    file PATH            what a getfile gets; without: status 6
    cut SIZE BYTES       what a getfile gets: a file that ends too early
    deaf, hear           stop reading from the client; go on
    close                hang up
NAME, TEXT and BYTES may hold Python's escapes; a space in NAME is \\x20.
"""
import hashlib
import os
import selectors
import socket
import sys

NAMES = {1: "register", 2: "send", 4: "status", 5: "sendfile", 7: "getfile"}


def unescape(text):
    return text.encode().decode("unicode_escape").encode("latin-1")


def escape(data):
    text = data.decode(errors="replace")
    return text.encode("unicode_escape").decode() if len(data) < 200 \
        else f"({len(data)} bytes)"


def string(data):
    return len(data).to_bytes(2, "big") + data


def say(*words):
    print(*words, flush=True)


class Short(Exception):
    """More bytes are needed."""


class Server:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.peer = None
        self.got = bytearray()
        self.contents = None  # (name, length, left, hash)
        self.next = []
        self.file = None
        self.line = b""
        self.select = selectors.PollSelector()
        self.select.register(0, selectors.EVENT_READ, self.told)
        self.select.register(self.listener, selectors.EVENT_READ, self.accept)
        say("port", self.listener.getsockname()[1])

    def run(self):
        while True:
            for key, _ in self.select.select():
                key.data()

    def accept(self):
        self.drop()
        self.peer = self.listener.accept()[0]
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got.clear()
        self.contents = None
        self.hear()

    def hear(self):
        self.select.register(self.peer, selectors.EVENT_READ, self.read)

    def deaf(self):
        self.select.unregister(self.peer)

    def drop(self):
        if self.peer:
            if self.peer in self.select.get_map():
                self.deaf()
            self.peer.close()
            self.peer = None

    def put(self, data):
        try:
            self.peer.sendall(data)
        except OSError:
            pass

    def answer(self, code=0, text=b""):
        if self.next:
            code, text = self.next.pop(0)
        if code is not None:
            self.put(bytes([4, code]) + string(text))

    # What the test says.

    def told(self):
        data = os.read(0, 65536)
        if not data:
            sys.exit()
        *lines, self.line = (self.line + data).split(b"\n")
        for line in lines:
            word, *rest = line.decode().split(" ", 2)
            getattr(self, "do_" + word)(*map(unescape, rest))

    def do_deliver(self, name, text=b""):
        self.put(b"\3" + string(name) + string(text))

    def do_fnotify(self, user, file):
        self.put(b"\6" + string(user) + string(file))

    def do_status(self, code, text=b""):
        self.put(bytes([4, int(code)]) + string(text))

    def do_raw(self, *parts):
        self.put(b" ".join(parts))

    def do_flood(self, count):
        for i in range(int(count)):
            self.do_deliver(b"flood", b"%d" % i)

    def do_next(self, code, text=b""):
        self.next.append((None if code == b"-" else int(code), text))

    def do_file(self, path):
        with open(path.decode(), "rb") as f:
            data = f.read()
        self.file = b"\x08" + len(data).to_bytes(4, "big") + data

    def do_cut(self, size, data=b""):
        self.file = b"\x08" + int(size).to_bytes(4, "big") + data

    def do_deaf(self):
        self.deaf()

    def do_hear(self):
        self.hear()

    def do_close(self):
        self.drop()

    # What the client says.

    def read(self):
        try:
            data = self.peer.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            say("gone" if not self.got and not self.contents else
                "gone in the middle")
            self.drop()
            return
        self.got += data
        try:
            while self.got or self.contents:
                self.message()
        except Short:
            pass

    def take(self, at, count):
        if len(self.got) < at + count:
            raise Short
        return bytes(self.got[at:at + count])

    def message(self):
        if self.contents:
            self.more()
            return
        kind = self.got[0]
        at = 2 if kind == 4 else 1
        size = int.from_bytes(self.take(at, 2), "big")
        text = self.take(at + 2, size)
        end = at + 2 + size
        if kind == 5:
            length = int.from_bytes(self.take(end, 4), "big")
            self.contents = [text, length, length, hashlib.sha256()]
            end += 4
        elif kind == 4:
            say("status", self.got[1], escape(text))
        else:
            say(NAMES.get(kind, f"unknown({kind})"), escape(text))
        del self.got[:end]
        if kind in (1, 2):
            self.answer()
        elif kind == 7:
            if self.file and not self.next:
                self.put(self.file)
            else:
                self.answer(6, b"no such file")

    def more(self):
        name, length, left, digest = self.contents
        if left and not self.got:
            raise Short
        piece = bytes(self.got[:left])
        digest.update(piece)
        del self.got[:len(piece)]
        self.contents[2] -= len(piece)
        if not self.contents[2]:
            self.contents = None
            say("sendfile", escape(name), length, digest.hexdigest())
            self.answer()


Server().run()
