#!/usr/bin/env python3
"""client.py TEST HANDLER [FILE]: a client at a socket, for tests that need
timing: what a pipe or curl cannot do. Prints nothing if all is well."""
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time

DEADLINE = 40
SCALE = int(os.environ.get("TEST_SCALE", "1"))


class Handler:
    """The handler with a socket for standard input and output."""

    def __init__(self, program, log=subprocess.DEVNULL):
        self.mine, theirs = socket.socketpair()
        self.mine.settimeout(DEADLINE)
        self.process = subprocess.Popen(
            [program], stdin=theirs, stdout=theirs, stderr=log)
        theirs.close()

    def send(self, data):
        try:
            self.mine.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def done(self):
        """No more is coming."""
        try:
            self.mine.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def rest(self):
        """All that it says, to its end."""
        data = b""
        while True:
            try:
                more = self.mine.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return data
            data += more

    def reply(self):
        """One reply with a Content-Length: (status, body)."""
        data = b""
        while True:
            head, end, body = data.partition(b"\r\n\r\n")
            if end:
                length = re.search(rb"(?i)content-length: (\d+)", head)
                if len(body) >= int(length.group(1)):
                    return int(head.split()[1]), body
            more = self.mine.recv(65536)
            assert more, "closed instead of a reply: %r" % data
            data += more

    def end(self):
        """Its exit status; it must be about to end."""
        status = self.process.wait(DEADLINE)
        self.mine.close()
        return status


def room(name="lobby"):
    try:
        with open(os.environ["STATE_DIRECTORY"] + "/rooms/%s.txt" % name,
                  "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def whole(program, request):
    handler = Handler(program)
    handler.send(request)
    handler.done()
    return handler.rest(), handler.end()


def head_and_body(request):
    head, _, body = request.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", body


def is_bare(head):
    return b"content-length" not in head.lower() and b"POST" in head


def test_cut(program, request):
    """Cut at every byte: told so, exit 1, and nothing stored; hung up at: no
    harm."""
    head, body = head_and_body(request)
    step = 1 if SCALE > 1 else 3
    before = room()
    for n in range(0, len(request), step):
        if is_bare(head) and n >= len(head):
            break
        said, status = whole(program, request[:n])
        want = 0 if n == 0 else 1
        assert status == want, "cut at %d: exit %d, %r" % (n, status, said)
        assert n == 0 or said.startswith(b"HTTP/1.1 400 "), (n, said)
        assert room() == before, "cut at %d: stored" % n
        if n % 15 == 0:
            handler = Handler(program)
            handler.send(request[:n])
            handler.mine.close()
            assert handler.end() in (0, 1), n
    said, status = whole(program, request)
    assert status == 0 and said.startswith(b"HTTP/1.1 206 "), said


def test_dribble(program, request):
    """One byte at a time: the same answer as at once."""
    handler = Handler(program)
    for byte in request:
        handler.send(bytes([byte]))
        time.sleep(0.0005)  # so that it reads each by itself
    handler.done()
    by_bytes = handler.rest()
    assert handler.end() == 0
    os.unlink(os.environ["STATE_DIRECTORY"] + "/rooms/lobby.txt")
    assert whole(program, request) == (by_bytes, 0), by_bytes


AUTH = b"Authorization: Basic dXNlcm5hbWU6cGFzc3dvcmQK\r\n"


def post(text, *fields, name=b"lobby"):
    return b"POST /rooms/%s.txt HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n%s" % (
        name, AUTH, b"".join(f + b"\r\n" for f in fields), len(text), text)


def test_keep(program):
    """One connection, one request after the other, each awaited."""
    handler, size = Handler(program), 0
    for i in range(30):
        text = b"message %d\n" % i
        handler.send(post(text, b"Range: bytes=%d-" % size))
        status, body = handler.reply()
        size += len(text) + len(body)
        assert status == 206 and body.count(b"\n") == 1, body
    assert len(room()) == size
    handler.mine.close()
    assert handler.end() == 0


def say(text, name="lobby"):
    parlance = os.path.join(os.environ["BUILD"], "bin", "parlance")
    subprocess.run([parlance, "room", "say", "-u", "username", name, text],
                   check=True)


def sleeping(process):
    """Waits until the handler waits: nothing it does would end by itself."""
    path, end = "/proc/%d/syscall" % process.pid, time.time() + DEADLINE
    while time.time() < end:
        with open(path, encoding="ascii") as file:
            if file.read().split()[0] in ("7", "271", "73"):  # poll, ppoll
                return
        time.sleep(0.01)
    raise AssertionError("it never waits")


def waiter(program, seconds, since=None, name=b"lobby"):
    handler = Handler(program)
    size = len(room(name.decode())) if since is None else since
    handler.send(post(b"", b"Range: bytes=%d-" % size,
                      b"Prefer: wait=%d" % seconds, name=name))
    return handler


def test_wait(program):
    """Prefer: wait is answered when someone speaks, and not before."""
    say("first")
    handler = waiter(program, 30)
    sleeping(handler.process)
    start = time.time()
    say("second")
    status, body = handler.reply()
    assert status == 206 and body.startswith(b"second\n\\username"), body
    assert time.time() - start < 10
    handler.mine.close()
    assert handler.end() == 0
    # There is something already.
    handler = waiter(program, 30, since=0)
    assert handler.reply() == (206, room())
    handler.done()
    assert handler.end() == 0
    # Nobody speaks.
    start = time.time()
    handler = waiter(program, 1)
    assert handler.reply() == (206, b"")
    assert 0.9 < time.time() - start < 10
    handler.done()
    assert handler.end() == 0


def test_wait_new(program):
    """A room that is not there yet can be waited for."""
    handler = waiter(program, 30, name=b"new")
    sleeping(handler.process)
    say("hello", "new")
    status, body = handler.reply()
    assert status == 206 and body.startswith(b"hello\n"), body
    handler.done()
    assert handler.end() == 0


def test_wait_hangup(program):
    """Who hangs up is not waited for; SIGTERM is answered with nothing."""
    handler = waiter(program, 60)
    sleeping(handler.process)
    start = time.time()
    handler.mine.close()
    assert handler.end() == 0
    assert time.time() - start < 10
    handler = waiter(program, 60)
    sleeping(handler.process)
    handler.process.send_signal(signal.SIGTERM)
    data = handler.rest()
    assert data.startswith(b"HTTP/1.1 206 ") and b"Length: 0\r\n" in data, data
    assert b"Connection: close\r\n" in data, data
    assert handler.end() == 0


def test_wait_pipe(program):
    """At a pipe the end of input is no hang-up, a broken output is one."""
    def start():
        size = len(room())
        process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        process.stdin.write(post(b"", b"Range: bytes=%d-" % size,
                                 b"Prefer: wait=60"))
        process.stdin.close()
        sleeping(process)
        return process
    process = start()
    say("hello")
    assert b"hello\n" in process.stdout.read()
    assert process.wait(DEADLINE) == 0
    process = start()
    process.stdout.close()
    assert process.wait(DEADLINE) == 0


def open_files(process):
    folder = "/proc/%d/fd" % process.pid
    return [os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder)]


def test_idle(program):
    """A second of idleness closes the database; the connection goes on."""
    handler = Handler(program)
    for _ in range(2):
        handler.send(post(b"hello\n"))
        assert handler.reply()[0] == 206
        assert any("parlance.db" in f for f in open_files(handler.process))
        end = time.time() + DEADLINE
        while any("parlance.db" in f for f in open_files(handler.process)):
            assert time.time() < end
            time.sleep(0.02)
    for letter in b"x", b"y":
        handler.send(post(letter * 40000))
        assert handler.reply()[0] == 206
    handler.mine.close()
    assert handler.end() == 0


def test_term(program):
    """SIGTERM: a begun request is finished, an idle connection ends."""
    handler = Handler(program)
    request = post(b"hello\n")
    handler.send(request[:-3])
    sleeping(handler.process)
    handler.process.send_signal(signal.SIGTERM)
    handler.send(request[-3:])
    assert handler.reply()[0] == 206
    assert handler.rest() == b""
    assert handler.end() == 0
    assert room().startswith(b"hello\n\\username")


def test_late_bare(program):
    """A body without a length that pauses for 5 s is 408, nothing stored."""
    handler = Handler(program)
    handler.send(post(b"").replace(b"Content-Length: 0\r\n", b"") + b"begun")
    start = time.time()
    assert handler.reply()[0] == 408
    assert 4.5 < time.time() - start < 15
    assert handler.end() == 1 and room() == b""


def test_bare_empty(program):
    """Without a length and with nothing sent, an empty message is answered
    soon though the client holds on."""
    handler = Handler(program)
    start = time.time()
    handler.send(post(b"").replace(b"Content-Length: 0\r\n", b""))
    assert handler.reply() == (206, b"")
    assert 0.2 < time.time() - start < 4
    assert handler.rest() == b""
    handler.mine.close()
    assert handler.end() == 0


def test_patience(program):
    """Deadlines, all at once: a silent client (10 s), a slow head (10 s), one
    that never reads (30 s), and in the long run an idle one (60 s)."""
    silent, slow, deaf = (Handler(program) for _ in range(3))
    idle = Handler(program)
    idle.send(post(b"x\n"))
    assert idle.reply()[0] == 206
    start = time.time()
    with open(os.environ["STATE_DIRECTORY"] + "/rooms/big.txt", "wb") as file:
        line = b"x" * 1000 + b"\n\\someone\n"
        for _ in range(8000):
            file.write(line)
    deaf.send(b"GET /rooms/big.txt HTTP/1.1\r\n" + AUTH + b"\r\n")
    for byte in range(11):
        slow.send(b"GET /rooms/"[byte:byte + 1])
        time.sleep(1)
    assert silent.rest().startswith(b"HTTP/1.1 408 ") and silent.end() == 1
    assert slow.rest().startswith(b"HTTP/1.1 408 ") and slow.end() == 1
    assert 9 < time.time() - start < 25
    assert deaf.process.wait(DEADLINE) == 0
    assert 25 < time.time() - start < 60
    if SCALE > 1:
        deaf.mine.close()
        idle.mine.settimeout(80)
        assert idle.rest() == b"" and idle.end() == 0
        assert 50 < time.time() - start < 90
    else:
        idle.mine.close()
        assert idle.end() == 0


class Synced:
    """A client's file, by the algorithm of the spec, over a connection that
    may break at any moment."""

    def __init__(self, program, number, rounds):
        self.program, self.number, self.rounds = program, number, rounds
        self.random = random.Random(number)
        self.file = b""
        self.handler = None
        self.kills = 0

    def exchange(self, request):
        if not self.handler:
            self.handler = Handler(self.program)
        self.handler.send(request)
        if self.random.random() < 0.15:
            self.kills += 1
            pause = self.random.random() * 0.006
            select.select([self.handler.mine], [], [], pause)
            if self.random.random() < 0.5:
                self.handler.process.kill()
            raise ConnectionResetError
        return self.handler.reply()

    def sync(self, text, *fields):
        """Again and again until it is answered, as one who lost an answer."""
        request = post(text, b"Range: bytes=%d-" % len(self.file), *fields)
        while True:
            try:
                status, body = self.exchange(request)
            except (OSError, AssertionError):
                self.handler.mine.close()
                self.handler.process.wait(DEADLINE)
                self.handler = None
                continue
            if status != 503:
                break
        assert status == 206, (status, body)
        self.file += text + body

    def run(self):
        for i in range(self.rounds):
            self.sync(b"message %d of %d\n" % (i, self.number),
                      b"Idempotency-Key: k%d-%d" % (self.number, i))
            # Another's record cannot be split by what is at hand.
            assert self.file.endswith(b"\n")
        self.handler.mine.close()
        self.handler.process.wait(DEADLINE)
        self.handler = None


def records(data):
    """The records of a room, each whole, in any order."""
    lines, found, begun = data.splitlines(True), [], b""
    for line in lines:
        begun += line
        if line.startswith(b"\\"):
            found.append(begun)
            begun = b""
    assert not begun
    return sorted(found)


def test_invariant(program):
    """Eight at once, some handlers and connections killed and the message
    sent again with its key: every file ends as long as the room, and holds
    the same records."""
    clients = [Synced(program, n, 20 * SCALE) for n in range(8)]
    threads = [threading.Thread(target=c.run) for c in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.random.random = lambda: 1
        client.sync(b"")
        client.handler.mine.close()
        client.handler.process.wait(DEADLINE)
    want = records(room())
    assert len(want) == 8 * 20 * SCALE, len(want)
    assert len(set(want)) == len(want)
    assert sum(c.kills for c in clients) > 10
    for client in clients:
        assert len(client.file) == len(room())
        assert records(client.file) == want


def main():
    name, program = sys.argv[1], sys.argv[2]
    arguments = []
    for path in sys.argv[3:]:
        with open(path, "rb") as file:
            arguments.append(file.read())
    globals()["test_" + name](program, *arguments)


main()
