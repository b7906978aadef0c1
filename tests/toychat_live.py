"""toychat_live.py SCENARIO: what happens at the text door when many talk at
once, and are killed while they do. See toychat.py; toychat-live.bats says what
each scenario is.
"""
import os
import random
import signal
import threading

from helper_process import SCALE, main, wait_until
from toychat import (BUSY, DATABASE, Gone, assert_sound, chat, rows, strace,
                     trace, writer)

WAL_MOST = 24 << 20  # 16 MiB are meant


# --- three users, and what the spec says they see ----------------------------

class Model:
    """Inboxes as the spec has them: a list for each sender, and "*"."""

    def __init__(self, names):
        self.boxes = {name: {} for name in names}

    def send(self, sender, to, body):
        for owner in self.boxes if to == "*" else [to]:
            box = "*" if to == "*" else sender
            self.boxes[owner].setdefault(box, []).append((sender, to, body))

    def inbox(self, owner):
        return [(box, len(waiting))
                for box, waiting in sorted(self.boxes[owner].items())
                if waiting]

    def recv(self, owner, box):
        waiting = self.boxes[owner].get(box)
        return waiting.pop(0) if waiting else None


def talk():
    names = ["Zoe", "ann", "жан"]
    model, rng = Model(names), random.Random(6)
    for number in range(600 * SCALE):
        if number % 200 == 0:  # and all connections are new
            people = [(name, chat(name)) for name in names * 2]
        me, c = rng.choice(people)
        what = rng.randrange(10)
        other = rng.choice([*names, "*"])
        if what < 5:
            body = rng.choice([f"{number}", f" {number}  привет ", "\\", " "])
            c.must(f"send {other} {body}")
            model.send(me, other, body)
        elif what < 7:
            assert list(c.inbox().items()) == model.inbox(me)
        else:
            assert c.recv(other) == model.recv(me, other)
    for me, c in people:
        assert list(c.inbox().items()) == model.inbox(me)
    assert_sound()


# --- many at once, some killed -----------------------------------------------

class Stress:
    """Senders and receivers, a thread and a handler each."""
    users = [f"user{i}" for i in range(8)]

    def __init__(self, connections=32, messages=500):
        self.connections = connections
        self.messages = messages * SCALE // connections
        self.sent = []  # (to, body) that were acknowledged
        self.unsure = []  # in flight when their handler was killed
        self.received = {name: [] for name in self.users}
        self.cut = 0  # receivers killed
        self.wrong = []
        self.sending = connections
        self.lock = threading.Lock()
        self.killable = {"send": {}, "recv": {}}
        self.all = []
        for name in self.users:
            chat(name).leave()

    def login(self, kind, number):
        c = chat(self.users[number % len(self.users)])
        with self.lock:
            self.killable[kind][number] = c
        return c

    def spare(self, kind, number):
        with self.lock:
            self.killable[kind].pop(number)

    def send(self, number):
        rng = random.Random(number)
        c = self.login("send", number)
        for i in range(self.messages):
            to = "*" if rng.random() < 0.1 else rng.choice(self.users)
            body = f"{number}.{i}"
            try:
                answer = c.say(f"send {to} {body}")
            except Gone:
                self.unsure.append((to, body))
                c = self.login("send", number)
                continue
            assert answer == "success", answer
            self.sent.append((to, body))
        self.spare("send", number)
        c.leave()

    def receive(self, number):
        name = self.users[number % len(self.users)]
        c = self.login("recv", number)
        while True:
            last = self.sending == 0
            try:
                inbox = c.inbox()
                for box in inbox:
                    got = c.recv(box)
                    if got:
                        self.received[name].append(got[1:])
            except Gone:
                self.cut += 1
                c = self.login("recv", number)
                continue
            if last and not inbox:
                break
        self.spare("recv", number)
        c.leave()

    def run_one(self, kind, number):
        try:
            {"send": self.send, "recv": self.receive}[kind](number)
        except BaseException as error:  # pylint: disable=broad-except
            self.wrong.append((kind, number, repr(error)))
        if kind == "send":
            with self.lock:
                self.sending -= 1

    def kill_some(self, kind, rng):
        with self.lock:
            victims = list(self.killable[kind].values())
            if victims:
                rng.choice(victims).kill()

    def look(self):
        """The shell reads meanwhile, and the write-ahead log stays short."""
        count, quick = rows(
            "SELECT count(*) FROM messages; PRAGMA quick_check(1)")
        assert int(count) >= 0 and quick == "ok"
        assert os.path.getsize(DATABASE + "-wal") < WAL_MOST

    def run(self, kill):
        rng = random.Random(kill)
        threads = [threading.Thread(target=self.run_one, args=(kind, number))
                   for kind in ("send", "recv")
                   for number in range(self.connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.03)
                self.look()
                if self.sending:
                    self.kill_some(kill, rng)
        assert not self.wrong, self.wrong
        assert_sound()

    def check(self, may_miss=0):
        """Everything once for everyone it was sent to."""
        missing = 0
        for name in self.users:
            got = self.received[name]
            assert len(set(got)) == len(got), "something came twice"
            told = {(to, body) for to, body in self.sent if to in ("*", name)}
            known = told | set(self.unsure)
            assert set(got) <= known, set(got) - known
            missing += len(told - set(got))
        assert missing <= may_miss, (missing, may_miss)
        print(len(self.sent), "sent,", len(self.unsure), "cut short,",
              self.cut, "receivers cut,", missing, "missing")


def senders_killed():
    stress = Stress()
    stress.run(kill="send")
    assert stress.unsure, "nobody was killed"
    stress.check()


def receivers_killed():
    stress = Stress()
    stress.run(kill="recv")
    assert stress.cut, "nobody was killed"
    stress.check(may_miss=stress.cut)


# --- one who is stopped while he writes --------------------------------------

def traced(c):
    """The handler that strace runs for this client."""
    pid = c.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return int(file.read())


def writer_stopped():
    """SIGSTOP in the midst of a commit: others are told busy, and go on."""
    ann, bob = chat("ann"), chat("bob")
    chat("carol").leave()
    ann.must("send bob 1")
    carol = chat("carol", before=strace("fdatasync:signal=STOP:when=1"))
    pid = traced(carol)
    try:
        carol.ask("send bob 2")
        wait_until(lambda: "stopped by SIGSTOP" in trace())
        ann.refused("send bob 3", BUSY)
        assert bob.inbox() == {"ann": 1}
    finally:
        os.kill(pid, signal.SIGCONT)
    assert carol.answer() == "success"
    ann.must("send bob 4")
    assert bob.inbox() == {"ann": 2, "carol": 1}
    assert_sound()


def writer_in_the_shell():
    ann = chat("ann")
    db = writer()
    ann.refused("send ann 1", BUSY)
    assert ann.inbox() == {}
    db.execute("ROLLBACK")
    ann.must("send ann 2")
    assert ann.drain() == [("ann", "ann", "2")]


if __name__ == "__main__":
    main({f.__name__: f for f in (
        talk, senders_killed, receivers_killed, writer_stopped,
        writer_in_the_shell)})
