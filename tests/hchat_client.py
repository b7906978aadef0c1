#!/usr/bin/env python3
"""hchat_client.py TEST HANDLER [PORT]: clients of the web door that wait.

Each test is a function of this file. HANDLER is run with a socket as a client
has it; with PORT the tests go to a server there. State is the environment's.
"""
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time

BUILD = os.environ["BUILD"]
SCALE = int(os.environ.get("TEST_SCALE", "1"))
HANDLER = sys.argv[2]
PORT = int(sys.argv[3]) if len(sys.argv) > 3 else 0
DEADLINE = 30


def request(method, path, *fields, body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def dial():
    return socket.create_connection(("127.0.0.1", PORT), timeout=DEADLINE)


class Reply:
    def __init__(self, sock, rest=b""):
        data = rest
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                raise EOFError(data)
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        self.status = int(head[9:12])
        self.fields = {}
        for line in head.decode().split("\r\n")[1:]:
            name, _, value = line.partition(": ")
            self.fields[name.lower()] = value
        length = int(self.fields.get("content-length", 0))
        while len(body) < length:
            more = sock.recv(65536)
            if not more:
                raise EOFError(data)
            body += more
        self.body, self.rest = body[:length], body[length:]


def handle(stdin=None):
    """A handler at one end of a socket pair, and the other end."""
    ours, theirs = socket.socketpair()
    ours.settimeout(DEADLINE)
    process = subprocess.Popen([HANDLER], stdin=theirs, stdout=theirs)
    theirs.close()
    return process, ours


def say(room, text):
    subprocess.run([f"{BUILD}/bin/parlance", "room", "say", "-u", "username",
                    room, text], check=True, stdout=subprocess.DEVNULL)


def waits(process):
    """Until the handler waits for fanout's doorbell or for time to pass."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        with open(f"/proc/{process.pid}/wchan") as file:
            if file.read().startswith(("poll", "do_poll", "do_sys_poll")):
                break
        select.select([], [], [], 0.02)
    select.select([], [], [], 0.2)
    assert process.poll() is None


def wait():
    process, sock = handle()
    sock.sendall(request("GET", "/msg/lobby/1"))
    waits(process)
    assert not select.select([sock], [], [], 0)[0]
    say("lobby", "hello\n\\o/")
    reply = Reply(sock)
    assert reply.status == 200 and reply.body == b"hello\n\\o/", vars(reply)
    assert reply.fields["chat-author"] == "username"
    assert reply.fields["chat-message"] == "1"
    assert reply.fields["chat-last"] == "1"
    sock.sendall(request("GET", "/msg/lobby/2"))
    waits(process)
    poster, other = handle()
    other.sendall(request("POST", "/send/lobby", body=b"two"))
    assert Reply(other).status == 200
    assert Reply(sock).body == b"two"
    other.close()
    sock.close()
    assert poster.wait(DEADLINE) == 0
    assert process.wait(DEADLINE) == 0


def hangup():
    process, sock = handle()
    sock.sendall(request("GET", "/msg/lobby/1"))
    waits(process)
    before = time.monotonic()
    sock.close()
    assert process.wait(DEADLINE) == 0
    assert time.monotonic() - before < 2


def half_close():
    process, sock = handle()
    sock.sendall(request("GET", "/msg/lobby/1"))
    waits(process)
    sock.shutdown(socket.SHUT_WR)
    assert process.wait(DEADLINE) == 0


def term():
    process, sock = handle()
    sock.sendall(request("GET", "/msg/lobby/1"))
    waits(process)
    process.send_signal(signal.SIGTERM)
    reply = Reply(sock)
    assert reply.status == 204, vars(reply)
    assert reply.fields["connection"] == "close"
    assert reply.fields["chat-last"] == "0"
    assert sock.recv(1) == b""
    assert process.wait(DEADLINE) == 0


def pipe():
    """At a pipe the end of input is no hang-up; a reader that goes is one."""
    for answered in True, False:
        process = subprocess.Popen([HANDLER], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        process.stdin.write(request("GET", f"/msg/lobby/{2 - answered}"))
        process.stdin.close()
        waits(process)
        if answered:
            say("lobby", "hello")
            assert process.stdout.read().endswith(b"\r\n\r\nhello")
        else:
            process.stdout.close()
        assert process.wait(DEADLINE) == 0


def deleted():
    sock = dial()
    sock.sendall(request("GET", "/chat_create"))
    room = Reply(sock).fields["location"].removeprefix("/chat/")
    sock.sendall(request("POST", f"/send/{room}", body=b"one"))
    assert Reply(sock).status == 200
    process, waiter = handle()
    waiter.sendall(request("GET", f"/msg/{room}/2"))
    waits(process)
    subprocess.run([f"{BUILD}/bin/parlance", "room", "del", "--yes", room],
                   check=True)
    assert Reply(waiter).status == 404
    waiter.close()
    assert process.wait(DEADLINE) == 0
    sock.sendall(request("GET", f"/msg/{room}/1"))
    assert Reply(sock).status == 404


def many():
    """All of many polls are answered by one message, whole."""
    count = 100 * SCALE
    socks = [dial() for _ in range(count)]
    for sock in socks:
        sock.sendall(request("GET", "/msg/lobby/1"))
    select.select([], [], [], 1)
    text = "x" * 5000
    say("lobby", text)
    before = time.monotonic()
    for sock in socks:
        reply = Reply(sock)
        assert reply.status == 200 and reply.body == text.encode()
    print(f"{count} polls answered in {time.monotonic() - before:.3f} s")


def fanout():
    """A wait outlives fanout."""
    sock = dial()
    sock.sendall(request("GET", "/msg/lobby/1"))
    pid = helper("fanout")
    os.kill(pid, signal.SIGKILL)
    say("lobby", "one")
    assert Reply(sock).body == b"one"
    sock.sendall(request("GET", "/msg/lobby/2"))
    select.select([], [], [], 1.5)
    say("lobby", "two")
    assert Reply(sock).body == b"two"


def helper(name):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if not file.read().startswith(
                        f"{BUILD}/helpers/{name}\0".encode()):
                    continue
            with open(f"/proc/{pid}/environ", "rb") as file:
                if os.environ["STATE_DIRECTORY"].encode() in file.read():
                    return int(pid)
        except OSError:
            pass
    raise LookupError(name)


def read_events(sock, count, data=b""):
    texts = []
    while True:
        texts = re.findall(rb'^data: .*"text":"([^"]*)"', data, re.M)
        if len(texts) >= count and data.endswith(b"\n\n"):
            return texts, data
        more = sock.recv(65536)
        assert more, data
        data += more


def events():
    """Without gallery the handler serves a stream itself, until SIGTERM."""
    process, sock = handle()
    say("lobby", "one")
    sock.sendall(request("GET", "/events/lobby"))
    texts, data = read_events(sock, 1)
    assert b"Content-Type: text/event-stream" in data
    assert b"Connection: close" in data
    say("lobby", "two")
    texts, data = read_events(sock, 2, data)
    assert texts == [b"one", b"two"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == 0
    assert sock.recv(1) == b""


def parked():
    """With gallery the handler is gone while its stream goes on."""
    say("lobby", "one")
    streams = [dial() for _ in range(10)]
    for sock in streams:
        sock.sendall(request("GET", "/events/lobby?from=-1"))
    seen = [read_events(sock, 1) for sock in streams]
    end = time.monotonic() + DEADLINE
    while handlers() and time.monotonic() < end:
        select.select([], [], [], 0.05)
    assert not handlers()
    say("lobby", "two")
    for sock, (_, data) in zip(streams, seen):
        assert read_events(sock, 2, data)[0] == [b"one", b"two"]


def handlers():
    found = subprocess.run(["pgrep", "-P", os.environ["SERVE"], "-x", "hchat"],
                           stdout=subprocess.PIPE, check=False)
    return found.stdout.split()


def idle():
    """A connection that idles keeps no big message's memory, and goes on."""
    process, sock = handle()
    text = b"\\" * 60000
    sock.sendall(request("POST", "/send/lobby", body=text))
    assert Reply(sock).status == 200
    sock.sendall(request("GET", "/msg/lobby/1"))
    assert Reply(sock).body == text
    full = memory(process)
    end = time.monotonic() + DEADLINE
    while memory(process) > full - 100 and time.monotonic() < end:
        select.select([], [], [], 0.05)
    assert memory(process) <= full - 100, (full, memory(process))
    sock.sendall(request("GET", "/msg/lobby/1"))
    assert Reply(sock).body == text
    sock.close()
    assert process.wait(DEADLINE) == 0


def memory(process):
    with open(f"/proc/{process.pid}/smaps_rollup") as file:
        return int(re.search(r"Private_Dirty: *(\d+)", file.read())[1])


globals()[sys.argv[1]]()
