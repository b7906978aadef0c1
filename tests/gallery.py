#!/usr/bin/env python3
"""tests/gallery.py SCENARIO: what tests/gallery.bats has happen around gallery.

Speaks to it as a handler does (lib/park.h), with sockets whose other end it
keeps. Uses BUILD, STATE_DIRECTORY, RUNTIME_DIRECTORY and TEST_SCALE. Every
process is a child that is ended on the way out. Fails by an exception.
"""
import array
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

from helper_process import (
    BUILD, PATIENCE, RUN, SCALE, HelperProcess, Systemd, children, connect,
    main, socket_activated, use_run_folder, wait_until)

STATE = os.environ["STATE_DIRECTORY"]
GALLERY = BUILD + "/helpers/gallery"
ROOMCTL = BUILD + "/tests/bin/roomctl"


class Gallery(HelperProcess):
    program = GALLERY


def pair():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def tcp_pair():
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    listener.close()
    return ours, theirs


class Caller:
    """A connection to gallery.sock."""

    def __init__(self):
        self.s = connect("gallery.sock")

    def say(self, text, *fds):
        if isinstance(text, str):
            text = text.encode()
        self.s.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                 array.array("i", fds))] if fds else [])

    def answer(self):
        try:
            return self.s.recv(1000).decode()
        finally:
            self.s.close()


class Viewer:
    """The browser's end of a stream."""

    def __init__(self, room="lobby", number=1, source="-", answer="ok",
                 sockets=pair):
        self.s, theirs = sockets() if callable(sockets) else sockets
        self.s.settimeout(PATIENCE)
        self.buffer = b""
        self.last = number - 1
        caller = Caller()
        caller.say(f"view {room} {number} {source}", theirs.fileno())
        self.answer = caller.answer()
        theirs.close()
        if answer:
            assert self.answer == answer, self.answer

    def event(self):
        """The next event's bytes without the empty line; None at the end."""
        while b"\n\n" not in self.buffer:
            try:
                data = self.s.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data
        event, self.buffer = self.buffer.split(b"\n\n", 1)
        return event

    def next(self):
        """The next message: in order, none missing, none doubled."""
        event = self.event()
        if event is None:
            return None
        lines = event.decode().split("\n")
        assert len(lines) == 2 and lines[1].startswith("data: "), lines
        message = json.loads(lines[1][6:])
        self.last += 1
        assert lines[0] == f"id: {self.last}", (lines[0], self.last)
        assert message["number"] == self.last
        return message

    def hears(self, count):
        for _ in range(count):
            message = self.next()
            assert message is not None, self.last
        return message

    def up_to(self, number):
        while self.last < number:
            assert self.next() is not None, self.last

    def hears_nothing(self):
        poll = select.poll()
        poll.register(self.s, select.POLLIN)
        assert not self.buffer and not poll.poll(0)

    def ended(self):
        event = self.event()
        assert event is None, event

    def close(self):
        self.s.close()


def ctl(*words):
    return subprocess.run([ROOMCTL, *map(str, words)], capture_output=True,
                          text=True, check=True).stdout


def add(room="lobby", count=1, size=12):
    ctl("append", room, count, size)


# --- streams -----------------------------------------------------------------

def live():
    Gallery()
    first = Viewer()  # of a room that is not there yet
    add()
    message = first.next()
    assert message["author"] == "~roomctl", message
    assert message["text"].startswith("lobby "), message
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", message["time"])
    add(count=20)
    add("other", 3)
    late, other = Viewer(sockets=tcp_pair), Viewer("other", 2)
    future = Viewer(number=24)
    late.hears(21)
    first.hears(20)
    other.hears(2)
    add(count=3)
    for v in first, late:
        v.hears(3)
    future.hears(1)
    for v in first, late, other, future:
        v.hears_nothing()


def many():
    """Hundreds of viewers of dozens of rooms, records in bursts."""
    Gallery()
    rooms = [f"room{i}" for i in range(20)]
    viewers = [Viewer(room) for room in rooms for _ in range(10 * SCALE)]
    writers = [subprocess.Popen([ROOMCTL, "append", room, "50", "300"],
                                stdout=subprocess.DEVNULL) for room in rooms]
    children.extend(writers)
    for v in viewers:
        v.hears(50)
    for v in viewers:
        v.hears_nothing()


def history():
    """What was said long ago comes fast, and newcomers delay nobody."""
    Gallery()
    add(count=5000)
    many = [Viewer() for _ in range(10)]
    watcher = Viewer(number=5001)
    add()
    watcher.hears(1)
    for v in many:
        v.hears(5001)


def long_records():
    """60 KB through sockets that take a few, read in small pieces."""
    Gallery()
    ours, theirs = pair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    slow = Viewer(sockets=(ours, theirs))
    tcp = Viewer(sockets=tcp_pair)
    tcp.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 30000)
    quick = Viewer()
    for i in range(5):
        add(size=60000)
        assert len(quick.next()["text"]) == 60000
        add(size=10)
        quick.hears(1)
    while slow.buffer.count(b"\n\n") < 10:
        slow.buffer += slow.s.recv(700)
    for v in slow, tcp:
        for i in range(5):
            assert len(v.next()["text"]) == 60000
            assert len(v.next()["text"]) == 10
        v.hears_nothing()


def slow_in_turn():
    """Many who lag behind one another share what is formatted."""
    Gallery()
    viewers = []
    for i in range(20):
        ours, theirs = pair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        viewers.append(Viewer(sockets=(ours, theirs)))
        add(size=3000)
    add(size=65535)
    for v in reversed(viewers):
        v.hears(21)
        v.hears_nothing()


def vanish():
    g = Gallery()
    before = g.descriptors()
    stays = Viewer()
    viewers = [Viewer(f"room{i % 7}", sockets=tcp_pair if i % 2 else pair)
               for i in range(100)]
    # Rooms that are not there have none.
    wait_until(lambda: g.descriptors() == before + 101)
    for i, v in enumerate(viewers):
        if i % 3 == 0:  # a reset instead
            v.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" * 2)
        if i % 5 == 0:
            v.s.shutdown(socket.SHUT_WR)
        else:
            v.close()
    # The lobby's own descriptors come with its file.
    wait_until(lambda: g.descriptors() == before + 1)
    add()
    stays.hears(1)
    assert g.descriptors() == before + 3
    stays.close()
    wait_until(lambda: g.descriptors() == before)


def talkative():
    """Who says something is not heard; who goes on saying things, goes."""
    Gallery()
    a, b = Viewer(sockets=tcp_pair), Viewer(sockets=tcp_pair)
    a.s.send(b"x" * 20000)
    try:
        for _ in range(1000):
            b.s.send(b"x" * 10000)
        assert False, "nobody minds"
    except OSError:
        pass
    add()
    a.hears(1)
    a.s.send(b"x" * 20000)
    add()
    a.hears(1)


def silent():
    """A ping after 25 s of silence, the end after 30 s without progress."""
    g = Gallery()
    before = g.descriptors()
    start = time.monotonic()
    quiet, busy = Viewer(), Viewer("busy")
    deaf, tcp = Viewer("loud"), Viewer("loud", sockets=tcp_pair)
    for v in quiet, busy:
        v.s.settimeout(40)
    add("loud", 40, 60000)
    blocked = time.monotonic()
    # A handler whose client is no socket serves the stream by itself.
    own = subprocess.Popen([BUILD + "/handlers/hchat"], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    children.append(own)
    own.stdin.write(b"GET /events/lobby HTTP/1.1\r\nHost: x\r\n\r\n")
    own.stdin.close()
    select.select([quiet.s], [], [], 10)
    add("busy")
    busy.hears(1)
    assert quiet.event() == b"event: ping\ndata: {}"
    assert 23.9 < time.monotonic() - start < 28
    # Who had something meanwhile is not pinged yet.
    busy.hears_nothing()
    assert busy.event() == b"event: ping\ndata: {}"
    assert 33.9 < time.monotonic() - start < 38
    # Of the other one the kernel says so (TCP_USER_TIMEOUT).
    g.logged("event=slow room=loud")
    wait_until(lambda: g.descriptors() == before + 4)
    assert 29.9 < time.monotonic() - blocked < 36
    assert quiet.event() == b"event: ping\ndata: {}"
    assert 48 < time.monotonic() - start < 54
    # What the deaf ones did get is exact as far as it goes.
    for v in deaf, tcp:
        while v.next() is not None:
            pass
        assert v.last < 40
    add()
    quiet.hears(1)
    text = b""
    while b"id: 1\ndata: " not in text:
        text += os.read(own.stdout.fileno(), 65536)
    assert 1 <= text.count(b"\r\n\r\nevent: ping\ndata: {}\n\n") <= 2, text
    own.terminate()
    assert own.wait(PATIENCE) == 0


def sources():
    g = Gallery(env={"PARLANCE_CONNECTIONS_PER_SOURCE": "3",
                     "PARLANCE_TRUSTED_PROXIES": "198.51.100.0/24"})
    few = [Viewer(source="192.0.2.1") for _ in range(3)]
    Viewer(source="192.0.2.1", answer="full").ended()
    Viewer(source="192.0.2.1", answer="full").ended()
    g.logged("event=limit source=192.0.2.1 viewers=3")
    for other in "192.0.2.2", "127.0.0.1", "::1", "-", "198.51.100.7":
        few += [Viewer(source=other) for _ in range(3)]
    for other in "127.0.0.1", "::1", "-", "198.51.100.7":
        few.append(Viewer(source=other))
    # Of IPv6 the network counts.
    few += [Viewer(source=f"2001:db8:0:1::{i}") for i in range(3)]
    Viewer(source="2001:db8:0:1::9", answer="full").ended()
    few.append(Viewer(source="2001:db8:0:2::1"))
    few[0].close()

    def again():
        v = Viewer(source="192.0.2.1", answer=None)
        few.append(v)
        return v.answer == "ok"
    wait_until(again)
    add()
    for v in few[1:]:
        if v.answer == "ok":
            v.hears(1)
    assert sum("event=limit source=192.0.2.1" in x for x in g.log) <= 2, g.log


def malformed():
    Gallery()
    ours, theirs = pair()
    ours.settimeout(PATIENCE)
    packets = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    fd = theirs.fileno()
    for text, *fds in [
            ["nonsense", fd], ["view lobby 1 -"], ["view lobby 0 -", fd],
            ["view ../x 1 -", fd], ["view lobby 1 - -", fd],
            ["view lobby 1 -", fd, fd], ["view lobby 1 -", *[fd] * 60],
            ["x" * 600, fd], ["view lobby 1 \0", fd], ["view l\xf6 1 -", fd],
            ["view lobby 1 -", packets[0].fileno()],
            ["view lobby 1 -", os.open(RUN, os.O_PATH)]]:
        caller = Caller()
        caller.say(text, *fds)
        answer = caller.answer()
        assert answer.startswith("error ") or answer == "full", (text, answer)
    Caller().s.close()
    idle = [Caller() for _ in range(300)]
    add()
    Viewer().hears(1)
    # Who took his time is heard, unless there were too many since.
    idle[-1].say("view lobby 1 -", fd)
    assert idle[-1].answer() == "ok"
    assert ours.recv(4) == b"id: "
    assert idle[0].answer() == ""


# --- rooms -------------------------------------------------------------------

def room_path(room="lobby"):
    return f"{STATE}/rooms/{room}.txt"


def deleted():
    g = Gallery()
    before = g.descriptors()
    add(count=2)
    add("other")
    viewers = [Viewer() for _ in range(5)]
    other = Viewer("other")
    for v in viewers:
        v.hears(2)
    other.hears(1)
    ctl("delete", "lobby")
    for v in viewers:
        v.ended()
    add()  # it is a new one
    Viewer().hears(1)
    add("other")
    other.hears(1)
    other.close()
    wait_until(lambda: g.descriptors() == before)


def replaced():
    Gallery()
    add(count=3)
    v = Viewer()
    v.hears(3)
    with open(room_path()) as f:
        text = f.read()
    with open(room_path() + ".new", "w") as f:
        f.write(text + "by hand\n\\~me @ 2026-11-20T14:03:07Z editor\n")
    os.rename(room_path() + ".new", room_path())
    assert ctl("look", "lobby").startswith("count=4 ")
    assert v.next()["text"] == "by hand"
    add()
    v.hears(1)
    # A shorter one: it waits until there is something after what it had.
    with open(room_path() + ".new", "w") as f:
        f.write("one\n\\~me @ 2026-11-20T14:03:07Z editor\n")
    os.rename(room_path() + ".new", room_path())
    add(count=4)
    v.hears_nothing()
    add()
    v.hears(1)


def not_indexed():
    """It builds no index and cuts nothing off: others do that."""
    Gallery(env={"PARLANCE_SANDBOX": "require"} if landlock() else None)
    add(count=2)
    index = RUN + "/index/lobby"
    os.unlink(index)
    v = Viewer()
    with open(room_path(), "a") as f:
        f.write("torn")
    Viewer("none").close()
    v.hears_nothing()
    assert not os.path.exists(index)
    ctl("look", "lobby")
    v.hears(2)
    assert os.listdir(STATE + "/lost")
    add()
    v.hears(1)


def landlock():
    """Is there Landlock here? (landlock_create_ruleset asked for its version)
    """
    import ctypes
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


def redacted():
    """Half of a text was sent when it was redacted: that stream ends."""
    Gallery()
    path = room_path()
    quotes = "\"" * 60000 + "\n\\~me @ 2026-11-20T14:03:07Z editor\n"
    with open(path, "w") as f:
        f.write(quotes)
    ctl("look", "lobby")
    ours, theirs = pair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    v = Viewer(sockets=(ours, theirs))
    assert v.s.recv(100)
    ctl("redact", "lobby", 1)
    # What is formatted is kept for a second.
    select.select([], [], [], 1.1)
    with open("/dev/null", "wb") as null:
        while True:
            data = v.s.recv(65536)
            if not data:
                break
            v.buffer += data
            null.write(data)
    assert b"\n\n" not in v.buffer
    assert Viewer().next()["text"] == "x" * 60000


def overflow():
    with open("/proc/sys/fs/inotify/max_queued_events") as most:
        events = int(most.read()) + 1000
    g = Gallery()
    v = Viewer()
    names = [RUN + "/index/." + str(i) for i in range(2)]
    g.stop()
    files = [open(name, "wb", buffering=0) for name in names]
    for _ in range(events // 2):
        for f in files:
            f.write(b"x")
    add(count=3)
    g.send(signal.SIGCONT)
    g.logged("event=overflow")
    v.hears(3)


# --- its life ----------------------------------------------------------------

def stand_by():
    first = Gallery()
    mode = os.stat(RUN + "/gallery.sock").st_mode
    assert stat.S_IMODE(mode) == 0o600, oct(mode)
    assert stat.S_IMODE(os.stat(RUN + "/gallery.lock").st_mode) == 0o600
    second = Gallery(wait="event=standby")
    third = Gallery(wait="event=standby")
    v = Viewer()
    add()
    v.hears(1)
    assert third.end() == 0
    # Its socket is left behind; the next one takes its place.
    first.end(signal.SIGKILL)
    v.ended()
    second.logged("event=listening")
    v = Viewer(number=2)
    add()
    v.hears(1)
    third = Gallery(wait="event=standby")
    assert second.end(signal.SIGINT) == 0
    v.ended()
    third.logged("event=listening")
    Viewer().hears(2)
    assert third.end() == 0


def full():
    g = Gallery("sh", "-c", f"ulimit -n 150; exec {GALLERY}")
    inside = [Viewer() for _ in range(150 - 64 - 2)]
    outside = [Viewer(answer="full") for _ in range(20)]
    for v in outside:
        v.ended()
    Viewer("other", answer="full").ended()
    g.logged("event=full")
    add()
    for v in inside:
        v.hears(1)
    inside.pop().close()
    more = []

    def again():
        more.append(Viewer(answer=None))
        return more[-1].answer == "ok"
    wait_until(again)
    more[-1].hears(1)
    assert sum("event=full" in line for line in g.log) == 1, g.log


def no_descriptors():
    g = Gallery()
    add()
    used = g.descriptors() + 2 + 5
    inside = [Viewer() for _ in range(5)]
    wait_until(lambda: g.descriptors() == used)
    # One more for the caller, none for what it hands over.
    for spare in 1, 0:
        resource.prlimit(g.pid, resource.RLIMIT_NOFILE, (used + spare, 4096))
        for _ in range(10):
            Viewer(answer="full").ended()
    g.logged("event=full")
    add()
    for v in inside:
        v.hears(2)
    # Not even for that: who waits is told when it can be.
    resource.prlimit(g.pid, resource.RLIMIT_NOFILE, (used - 10, 4096))
    before = g.cpu()
    ours, theirs = pair()
    caller = Caller()
    caller.say("view lobby 1 -", theirs.fileno())
    assert not select.select([caller.s], [], [], 1.5)[0]
    assert g.cpu() - before < 0.2, g.cpu() - before
    add()
    inside[0].hears(1)
    resource.prlimit(g.pid, resource.RLIMIT_NOFILE, (4096, 4096))
    assert caller.answer() == "ok"
    assert ours.recv(4) == b"id: "
    Viewer().hears(3)


def idle():
    """Nobody views: it is not woken. Somebody does: neither."""
    g = Gallery()
    Viewer().close()
    wait_until(lambda: not watches(g))
    before = switches(g)
    add(count=200)
    assert switches(g) - before < 5
    v = Viewer(number=201)
    assert watches(g)
    add("other")
    v.hears_nothing()
    v.close()
    wait_until(lambda: not watches(g))


def watches(g):
    """Does it watch index/?"""
    for fd in os.listdir(f"/proc/{g.pid}/fdinfo"):
        with open(f"/proc/{g.pid}/fdinfo/{fd}") as info:
            count = info.read().count("inotify wd")
        if count:
            return count == 2
    assert False


def switches(g):
    with open(f"/proc/{g.pid}/status") as status:
        return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)",
                             status.read())[1])


class Browsing:
    """Threads that view by view(LAST NUMBER) until each has had count messages,
    once each, anew whenever a stream ends or view raises again."""

    def __init__(self, threads, count, again, view):
        self.count, self.again, self.view = count, again, view
        self.failed = []
        self.threads = [threading.Thread(target=self.browse, daemon=True)
                        for _ in range(threads)]
        for t in self.threads:
            t.start()

    def browse(self):
        last = 0
        try:
            while last < self.count:
                try:
                    v = self.view(last)
                except self.again:
                    continue
                while v.last < self.count and v.next() is not None:
                    pass
                last = v.last
                v.close()
        except Exception as e:
            self.failed.append(e)
            raise

    def end(self):
        for t in self.threads:
            t.join(PATIENCE)
            assert not t.is_alive()
        assert not self.failed, self.failed


def restarts():
    """As browsers do: gallery is killed again and again, they reconnect, and
    have every message once."""
    rounds, each = 10 * SCALE, 30
    count = rounds * each
    g, spare = Gallery(), Gallery(wait="event=standby")
    # Without a gallery the handler would go on by itself.
    browsers = Browsing(8, count, OSError, lambda last: Viewer(
        number=last + 1, answer=None))
    for i in range(rounds):
        writer = subprocess.Popen(
            [ROOMCTL, "append", "lobby", str(each), "2000"],
            stdout=subprocess.PIPE, text=True)
        children.append(writer)
        for _ in range(each // 2):
            assert writer.stdout.readline().startswith("ok ")
        g.end(signal.SIGKILL if i % 2 else signal.SIGTERM)
        g = spare
        g.logged("event=listening")
        spare = Gallery(wait="event=standby")
        writer.communicate()
        assert writer.returncode == 0
    browsers.end()


def taken_away():
    g = Gallery()
    v = Viewer()
    shutil.rmtree(RUN + "/index")
    assert g.process.wait(PATIENCE) == 111
    v.ended()
    shutil.rmtree(RUN)
    use_run_folder(RUN)
    Gallery()
    v = Viewer()
    add()
    v.hears(1)


def long_path():
    deep = RUN + "/" + "d" * 100 + "/" + "e" * 100
    os.environ["RUNTIME_DIRECTORY"] = deep
    Gallery()
    use_run_folder(deep)
    v = Viewer()
    add()
    v.hears(1)


def notifies():
    systemd = Systemd()
    g, second = systemd.starts_two(Gallery)
    systemd.sees_take_over(g, second)


def activated():
    path = RUN + "/gallery.sock"
    g = Gallery(*socket_activated(GALLERY, "--seqpacket", "-l", path),
                wait="Listening on")
    v = Viewer()
    g.logged("event=listening from=systemd")
    add()
    v.hears(1)
    assert g.end() == 0
    v.ended()
    assert os.path.exists(path)  # it is systemd's


# --- through serve and the web door -------------------------------------------

class Serve(Gallery):
    def __init__(self):
        super().__init__(BUILD + "/helpers/serve", "hchat=127.0.0.1:0",
                         wait="event=listening door=hchat")
        self.logged("door=gallery event=listening")
        with self.news:
            line = [x for x in self.log if "listening door=hchat" in x][0]
        self.port = int(line.rsplit(":", 1)[1])

    def processes(self):
        """The names of what it runs, less the template, which comes and goes."""
        out = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid",
                              str(self.pid)], capture_output=True, text=True)
        return {name: int(pid) for pid, name in
                (line.split() for line in out.stdout.splitlines())
                if not name.startswith("hchat-")}

    def send_post(self, text):
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.sendall(b"POST /send/lobby HTTP/1.1\r\nHost: x\r\nConnection: "
                      b"close\r\nContent-Length: %d\r\n\r\n%s" %
                      (len(text), text))
            answer = b""
            while data := s.recv(4096):
                answer += data
        assert answer.startswith(b"HTTP/1.1 200 "), answer


class Browser(Viewer):
    """A stream as browsers ask for it."""

    def __init__(self, port, query="", last=None):
        self.s = socket.create_connection(("127.0.0.1", port))
        self.s.settimeout(PATIENCE)
        self.last = last or 0
        more = "" if last is None else f"Last-Event-ID: {last}\r\n"
        self.s.sendall((f"GET /events/lobby{query} HTTP/1.1\r\nHost: x\r\n"
                        f"{more}\r\n").encode())
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            byte = self.s.recv(1)
            if not byte:
                raise ConnectionError(self.head)
            self.head += byte
        assert self.head.startswith(b"HTTP/1.1 200 "), self.head
        assert b"Content-Type: text/event-stream" in self.head, self.head
        self.buffer = b""


def web():
    serve = Serve()
    add(count=3)
    browsers = [Browser(serve.port) for _ in range(20)]
    wait_until(lambda: sorted(serve.processes()) == ["fanout", "gallery"])
    serve.send_post(b"\"hi\"\n\\there")
    for b in browsers:
        b.hears(3)
        message = b.next()
        assert message["text"] == "\"hi\"\n\\there", message
        assert message["author"] == "~anonymous", message
    late, last = Browser(serve.port, "?from=-2"), Browser(serve.port, last=3)
    late.last = 2
    late.hears(2)
    last.hears(1)
    future = Browser(serve.port, "?from=6")
    future.last = 5
    add(count=2)
    future.hears(1)
    last.hears(2)
    # It dies, and is there again.
    os.kill(serve.processes()["gallery"], signal.SIGKILL)
    for b in late, last, future:
        b.up_to(6)
        b.ended()
    # Until then the handler serves the stream by itself.
    orphan = Browser(serve.port, last=6)
    add()
    orphan.hears(1)
    wait_until(lambda: "gallery" in serve.processes())
    wait_until(lambda: sum("door=gallery event=listening" in x
                           for x in serve.log) == 2)
    again = Browser(serve.port, last=6)
    again.hears(1)
    add()
    again.hears(1)
    orphan.hears(1)
    assert serve.end() == 0
    again.ended()
    orphan.ended()


def web_restarts():
    """No message is missing or doubled while gallery dies and lives."""
    serve = Serve()
    kills, each = 4, 20 * SCALE
    count = (2 * kills + 1) * each
    # It may be killed with the stream's beginning.
    browsers = Browsing(6, count, ConnectionError, lambda last: Browser(
        serve.port, last=last))
    for _ in range(kills):
        add(count=each, size=3000)
        # serve waits longer each time: some streams are handlers' own.
        wait_until(lambda: "gallery" in serve.processes())
        os.kill(serve.processes()["gallery"], signal.SIGKILL)
        add(count=each, size=3000)
    add(count=each)
    browsers.end()
    assert serve.end() == 0


if __name__ == "__main__":
    main(globals())
