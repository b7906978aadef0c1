#!/usr/bin/env python3
"""deb_load.py COMMAND...: people talk and listen while COMMAND runs.

One listens at the binary door, one to the web door's events, one is logged in
at the text door, and one posts at the web door with a connection a message. All
is as before afterwards: every post is answered 200 at the first try, no
connection ends, and each listener got every message, once and in order.
"""
import http.client
import json
import socket
import struct
import subprocess
import sys
import threading
import time

PATIENCE = 30


def post(text):
    c = http.client.HTTPConnection("127.0.0.1", 1234, timeout=PATIENCE)
    c.request("POST", "/send/lobby", text, {"Content-Type": "text/plain"})
    status = c.getresponse().status
    c.close()
    assert status == 200, f"{text}: {status}"


class Listener(threading.Thread):
    """Collects what comes until its connection ends."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.settimeout(None)
        self.file = self.socket.makefile("rb")
        self.got = []
        self.ended = False

    def run(self):
        try:
            self.listen()
        except (OSError, struct.error):
            pass
        self.ended = True


class Bcs(Listener):
    def __init__(self):
        super().__init__(4000)
        self.socket.sendall(b"\1\0\6holder")
        assert self.file.read(2) == b"\4\0"
        self.string()
        self.deliver()

    def string(self):
        return self.file.read(struct.unpack(">H", self.file.read(2))[0])

    def deliver(self):
        assert self.file.read(1) == b"\3"
        self.string()
        text = self.string().decode()
        self.socket.sendall(b"\4\0\0\0")
        return text

    def listen(self):
        while True:
            self.got.append(self.deliver())


class Events(Listener):
    def __init__(self, last):
        super().__init__(1234)
        self.socket.sendall(
            f"GET /events/lobby?from={last + 1} HTTP/1.1\r\nHost: x\r\n\r\n"
            .encode())
        assert b" 200 " in self.file.readline()

    def listen(self):
        for line in self.file:
            if line.startswith(b"data: ") and b'"text"' in line:
                self.got.append(json.loads(line[6:])["text"])


class Text:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", 8888), PATIENCE)
        self.file = self.socket.makefile("rb")
        name = f"u{time.time_ns()}"
        assert self.ask(f"register {name} secret") == b"success"

    def ask(self, command):
        self.socket.sendall(command.encode() + b"\r\n")
        return self.file.readline().rstrip()


def newest():
    c = http.client.HTTPConnection("127.0.0.1", 1234, timeout=PATIENCE)
    c.request("GET", "/chat/lobby")
    return int(c.getresponse().getheader("Chat-Last"))


def main(*command):
    post("before")
    text = Text()
    listeners = [Bcs(), Events(newest())]
    for one in listeners:
        one.start()
    said = []
    with open("/tmp/deb_load.log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        more = 20
        while more:
            if process.poll() is not None:
                more -= 1
            said.append(f"m{len(said)}")
            post(said[-1])
    assert process.returncode == 0, open("/tmp/deb_load.log").read()
    until = time.monotonic() + PATIENCE
    while any(len(one.got) < len(said) and not one.ended
              for one in listeners) and time.monotonic() < until:
        time.sleep(0.05)
    for one in listeners:
        assert not one.ended, f"{one.__class__.__name__} was dropped"
        assert one.got == said, \
            f"{one.__class__.__name__}: {len(one.got)} of {len(said)}"
    assert text.ask("recv *").startswith(b"message"), "the text door"
    print(f"{len(said)} messages")


main(*sys.argv[1:])
