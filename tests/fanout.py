#!/usr/bin/env python3
"""tests/fanout.py SCENARIO: what tests/fanout.bats has happen around fanout.

Uses BUILD, STATE_DIRECTORY, RUNTIME_DIRECTORY and TEST_SCALE. Every process is
a child that is ended on the way out. Fails by an exception.
"""
import errno
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import threading

from helper_process import (
    BUILD, PATIENCE, RUN, SCALE, HelperProcess, Systemd, children, connect,
    main, socket_activated, use_run_folder, wait_until)

FANOUT = BUILD + "/helpers/fanout"
PRESENT = BUILD + "/tests/bin/presentctl"


class Fanout(HelperProcess):
    program = FANOUT


class Subscriber:
    def __init__(self, *commands, answers=None):
        self.s = connect("fanout.sock")
        for command in commands:
            self.s.send(command.encode())
        for answer in answers or []:
            self.hears(answer)

    def next(self):
        return self.s.recv(1000).decode()

    def hears(self, wanted):
        """This next, but for doorbells: those may come more than once."""
        heard = self.next()
        while heard != wanted and heard.startswith("bell "):
            heard = self.next()
        assert heard == wanted, (heard, wanted)

    def until(self, wanted):
        """Everything up to this."""
        heard = []
        while True:
            heard.append(self.next())
            if heard[-1] == wanted:
                return heard
            assert heard[-1], heard

    def hears_nothing(self, seconds):
        self.s.settimeout(seconds)
        try:
            raise AssertionError(self.s.recv(1000))
        except TimeoutError:
            self.s.settimeout(PATIENCE)

    def waiting(self):
        """What has arrived already."""
        heard = []
        self.s.setblocking(False)
        try:
            while True:
                heard.append(self.s.recv(1000).decode())
        except BlockingIOError:
            pass
        self.s.settimeout(PATIENCE)
        return heard

    def close(self):
        self.s.close()


def subscriber(room="lobby", count=0):
    return Subscriber("sub " + room, answers=[f"ok {room} {count}"])


def watcher(count=0):
    return Subscriber("who", "sub lobby", answers=[f"ok lobby {count}"])


class Index:
    """An index file as room.h keeps it, without a room."""

    def __init__(self, room="lobby", folder=None):
        self.path = f"{folder or RUN}/index/{room}"
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        self.count = 0

    def add(self, n=1):
        if not self.count:
            os.pwrite(self.fd, b"P" * 64, 0)
        for _ in range(n):
            os.pwrite(self.fd, b"entryxxx", 64 + 8 * self.count)
            self.count += 1


class Holder:
    def __init__(self, name):
        self.name = name
        self.process = subprocess.Popen(
            [PRESENT, "hold", name], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        children.append(self.process)

    def result(self):
        return self.process.stdout.readline().strip()

    def held(self):
        assert self.result() == "held", self.name
        return self

    def leave(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)


def roster():
    out = subprocess.run([PRESENT, "roster"], capture_output=True, text=True,
                         check=True).stdout
    return sorted(line.split()[0] for line in out.splitlines())


def ctl(*words):
    return subprocess.run([PRESENT, *words], capture_output=True,
                          text=True).stdout.strip()


# --- doorbells ---------------------------------------------------------------

def doorbells():
    Fanout()
    index = Index()
    index.add(3)
    a, b = subscriber(count=3), subscriber(count=3)
    other = subscriber("other")
    index.add()
    a.hears("bell lobby")
    b.hears("bell lobby")
    Index("other").add()
    assert other.next() == "bell other"
    # One connection, two rooms; the same one twice is once.
    c = Subscriber("sub lobby", "sub other", "sub lobby", answers=[
        "ok lobby 4", "ok other 1", "ok lobby 4"])
    index.add()
    c.hears("bell lobby")
    Index("other").add()
    assert set(c.until("bell other")) == {"bell other"}


def rebuilt():
    Fanout()
    Index().add(2)
    s = subscriber(count=2)
    new = Index(".lobby.123")
    new.add(5)
    other = subscriber("other")
    Index("other").add()
    other.hears("bell other")
    assert s.waiting() == []
    os.rename(new.path, RUN + "/index/lobby")
    s.hears("bell lobby")
    assert subscriber(count=5)
    os.unlink(RUN + "/index/lobby")
    s.hears("bell lobby")
    assert subscriber(count=0)


def malformed():
    Fanout()
    for bad in ["nonsense", "sub", "sub ../x", "sub " + "x" * 65, "bell lobby",
                "who who", "SUB lobby", "sub lobby lobby", "x" * 600,
                "sub \0", "sub l\xf6bby"]:
        s = Subscriber(bad)
        assert s.next().startswith("error "), bad
        assert s.next() == "", bad
    rooms = [f"sub room{i}" for i in range(17)]
    s = Subscriber(*rooms, answers=[f"ok room{i} 0" for i in range(16)])
    s.hears("error too many rooms")
    assert s.next() == ""
    Subscriber("sub lobby\n", answers=["ok lobby 0"])


def slow():
    f = Fanout()
    index, other = Index(), Index("other")
    asleep = Subscriber("who", "sub lobby", "sub other",
                        answers=["ok lobby 0", "ok other 0"])
    awake = subscriber()
    for _ in range(3000):
        index.add()
        awake.hears("bell lobby")
    other.add()
    holder = Holder("Alice").held()
    watcher(3000).close()
    # It was told as much as its socket takes, then one bit a room is kept.
    heard = asleep.waiting()
    while not {"bell other", "roster"} <= set(heard):
        heard.append(asleep.next())
    assert 10 < len(heard) < 1000, len(heard)
    assert heard.count("bell other") == heard.count("roster") == 1, heard
    assert heard[-3:].count("bell lobby") == 1, heard
    other.add()
    assert set(asleep.until("bell other")) == {"bell other"}
    holder.leave()
    assert set(asleep.until("-Alice 3000")) <= {"-Alice 3000"}
    # One that asks and never reads costs no more.
    deaf = Subscriber("sub lobby")
    deaf.s.settimeout(1)
    try:
        for _ in range(100000):
            deaf.s.send(b"sub lobby")
    except TimeoutError:
        pass
    index.add()
    awake.hears("bell lobby")
    assert f.memory() < 20 * 1024, f.memory()


def coalesced():
    f = Fanout()
    index, other = Index(), Index("other")
    a, b = subscriber(), subscriber("other")
    f.stop()
    for _ in range(4000):
        index.add()
        other.add()
    f.send(signal.SIGCONT)
    last = Subscriber("sub last", answers=["ok last 0"])
    Index("last").add()
    last.hears("bell last")
    assert 1 <= len(a.waiting()) <= 20
    assert 1 <= len(b.waiting()) <= 20


def overflow():
    with open("/proc/sys/fs/inotify/max_queued_events") as most:
        events = int(most.read()) + 1000
    f = Fanout()
    index, other = Index(), Index("other")
    quiet = Subscriber("who", "sub quiet", answers=["ok quiet 0"])
    s = subscriber()
    stays, goes = Holder("Stays").held(), Holder("Goes").held()
    quiet.until("+Goes 0")
    f.stop()
    for _ in range(events // 2):
        index.add()
        other.add()
    comes = Holder("Comes").held()
    goes.kill()
    f.send(signal.SIGCONT)
    f.logged("event=overflow")
    s.hears("bell lobby")
    heard = quiet.until("roster")
    assert "bell quiet" in heard, heard
    heard += quiet.waiting()
    assert f"+Comes {index.count}" in heard, heard
    assert f"-Goes {index.count}" in heard, heard
    assert not [h for h in heard if "Stays" in h], heard
    assert roster() == ["Comes", "Stays"]
    comes.leave()
    stays.leave()


# --- its life ----------------------------------------------------------------

def stand_by():
    first = Fanout()
    mode = os.stat(RUN + "/fanout.sock")
    assert stat.S_IMODE(mode.st_mode) == 0o600, oct(mode.st_mode)
    assert stat.S_IMODE(os.stat(RUN + "/fanout.lock").st_mode) == 0o600
    second = Fanout(wait="event=standby")
    third = Fanout(wait="event=standby")
    s = subscriber()
    Index().add()
    s.hears("bell lobby")
    assert third.end() == 0
    # Its socket is left behind; the next one takes its place.
    first.end(signal.SIGKILL)
    second.logged("event=listening")
    s.hears("")
    s = subscriber(count=1)
    Index().add()
    s.hears("bell lobby")
    third = Fanout(wait="event=standby")
    assert second.end(signal.SIGINT) == 0
    third.logged("event=listening")
    subscriber(count=1)
    assert third.end() == 0
    # Confined, it cannot remove its socket: nobody listens there.
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        error = s.connect_ex(RUN + "/fanout.sock")
    assert error in (errno.ECONNREFUSED, errno.ENOENT), error


def full():
    f = Fanout("sh", "-c", f"ulimit -n 80; exec {FANOUT}")
    index = Index()
    inside = [subscriber() for _ in range(40)]
    outside = [Subscriber("sub lobby") for _ in range(20)]
    f.logged("event=full")
    before = f.cpu()
    index.add()
    for s in inside:
        s.hears("bell lobby")
    outside[0].hears_nothing(1.5)
    assert f.cpu() - before < 0.2, f.cpu() - before
    for s in inside[:20]:
        s.close()
    for s in outside:
        s.hears("ok lobby 1")
    assert sum("event=full" in line for line in f.log) == 1, f.log


def no_descriptors():
    f = Fanout()
    index = Index()
    inside = [subscriber() for _ in range(5)]
    used = f.descriptors()
    old = resource.prlimit(f.pid, resource.RLIMIT_NOFILE, (used, 4096))
    outside = Subscriber("sub lobby")
    f.logged("event=full")
    before = f.cpu()
    index.add()
    inside[0].hears("bell lobby")
    outside.hears_nothing(1.5)
    assert f.cpu() - before < 0.2, f.cpu() - before
    resource.prlimit(f.pid, resource.RLIMIT_NOFILE, (4096, 4096))
    outside.hears("ok lobby 1")
    assert old


def taken_away():
    f = Fanout()
    shutil.rmtree(RUN + "/index")
    assert f.process.wait(PATIENCE) == 111
    shutil.rmtree(RUN)
    use_run_folder(RUN)
    f = Fanout()
    s = subscriber()
    Index().add()
    s.hears("bell lobby")


def long_path():
    deep = RUN + "/" + "d" * 100 + "/" + "e" * 100
    Fanout(env={"RUNTIME_DIRECTORY": deep})
    use_run_folder(deep)
    s = subscriber()
    Index(folder=deep).add()
    s.hears("bell lobby")


def notifies():
    systemd = Systemd()
    f, second = systemd.starts_two(Fanout)
    f.stop()
    for _ in range(5):
        systemd.hears("WATCHDOG=1")
    systemd.sees_take_over(f, second)


def activated():
    path = RUN + "/fanout.sock"
    os.makedirs(RUN, exist_ok=True)
    f = Fanout(*socket_activated(FANOUT, "--seqpacket", "-l", path),
               wait="Listening on")
    s = Subscriber("sub lobby", answers=["ok lobby 0"])
    f.logged("event=listening from=systemd")
    Index().add()
    s.hears("bell lobby")
    assert f.end() == 0
    assert os.path.exists(path)  # it is systemd's


def wrong_socket():
    f = Fanout(*socket_activated(FANOUT, "-l", RUN + "/stream.sock"),
               wait="Listening on")
    socket.socket(socket.AF_UNIX).connect(RUN + "/stream.sock")
    assert f.process.wait(PATIENCE) == 100
    f.logged("SOCK_SEQPACKET")


# --- presence ----------------------------------------------------------------

def comes_and_goes():
    Fanout()
    Index().add(7)
    w, deaf = watcher(7), subscriber(count=7)
    a = Holder("Alice").held()
    w.hears("+Alice 7")
    assert roster() == ["Alice"]
    assert ctl("held", "aLICE") == "yes" and ctl("held", "bob") == "no"
    # Nobody poses as Alice; trying changes nothing.
    assert Holder("alice").result() == "taken"
    assert Holder("Alice").result() == "taken"
    b = Holder("B\xf6b").held()
    w.hears("+B\xf6b 7")
    a.leave()
    w.hears("-Alice 7")
    again = Holder("alice").held()
    w.hears("+alice 7")
    b.kill()
    w.hears("-B\xf6b 7")
    again.kill()
    w.hears("-alice 7")
    assert roster() == [] and os.listdir(RUN + "/present") == []
    assert deaf.waiting() == []


def killed():
    Fanout()
    w = watcher()
    holders, came = [], set()
    for i in range(200):
        holders.append(Holder(f"guest{i}").held())
        came.add(w.next())
    assert came == {f"+guest{i} 0" for i in range(200)}
    dead = holders[::5]
    for h in dead:
        h.process.kill()
    left = {w.next() for _ in dead}
    assert left == {f"-{h.name} 0" for h in dead}
    # The next news is of something later: nobody else left.
    Holder("last").held()
    w.hears("+last 0")
    assert roster() == sorted(
        [h.name for h in holders if h not in dead] + ["last"])


def restarted():
    f = Fanout()
    stays, dies, grabbed = [
        Holder(n).held() for n in ["stays", "dies", "Grabbed"]]
    watcher()
    f.end(signal.SIGKILL)
    dies.kill()
    grabbed.kill()
    thief = Holder("grabbed").held()
    assert roster() == ["grabbed", "stays"]
    Fanout()
    w = watcher()
    assert roster() == ["grabbed", "stays"]
    assert sorted(os.listdir(RUN + "/present")) == ["grabbed", "stays"]
    new = Holder("new").held()
    w.hears("+new 0")
    thief.kill()
    w.hears("-grabbed 0")
    stays.leave()
    w.hears("-stays 0")
    new.leave()
    w.hears("-new 0")


def grabbed():
    """A name that is taken over before fanout saw that it is free."""
    f = Fanout()
    w = watcher()
    first = Holder("Name").held()
    w.hears("+Name 0")
    f.stop()
    first.kill()
    second = Holder("name").held()
    f.send(signal.SIGCONT)
    w.hears("-Name 0")
    w.hears("+name 0")
    f.stop()
    second.kill()
    third = Holder("name").held()
    f.send(signal.SIGCONT)
    w.hears("-name 0")
    w.hears("+name 0")
    third.leave()
    w.hears("-name 0")


def churn():
    Fanout()
    w = watcher()
    count = 2000 * SCALE
    assert ctl("churn", str(count)) == "0"
    w.close()
    Fanout(wait="event=standby")


def churn_by_many():
    """Several at once: one holds it, the others are told so, and every leave
    is told in the end."""
    Fanout()
    w = watcher()
    stop = threading.Event()
    heard = []

    def listen():
        while not stop.is_set():
            heard.extend(w.waiting())
        heard.extend(w.waiting())

    t = threading.Thread(target=listen)
    t.start()
    many = [subprocess.Popen([PRESENT, "churn", str(300 * SCALE)],
                             stdout=subprocess.DEVNULL) for _ in range(4)]
    children.extend(many)
    for p in many:
        p.wait(PATIENCE * SCALE)
    # A lock may outlive its holder's end by a moment.
    wait_until(lambda: os.listdir(RUN + "/present") == [])
    subscriber().close()
    stop.set()
    t.join()
    there = 0
    for h in heard:
        if h == "roster":
            there = None
        elif h == "+churn 0":
            there = 1
        elif h == "-churn 0":
            assert there != 0, "left twice"
            there = 0
    assert not there, heard[-5:]


if __name__ == "__main__":
    main(globals())
