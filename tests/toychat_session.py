"""toychat_session.py SCENARIO: how long a connection of the text door lasts,
and who is logged in. See toychat.py; toychat-live.bats says what each is.
"""
import os
import select
import signal
import socket
import subprocess
import time

from helper_process import BUILD, RUN, SCALE, main, wait_until
from toychat import STATE, Chat, Gone, Server, chat, writer


def files():
    return sorted(os.listdir(STATE + "/files"))


def admin(*words, password=""):
    subprocess.run([BUILD + "/bin/parlance", *words], input=password,
                   text=True, check=True, stdout=subprocess.DEVNULL)


# --- deadlines, side by side -------------------------------------------------

class Lasting:
    """A connection that is to end after so many seconds, None: not at all."""

    def __init__(self, name, c, seconds, status=0, drip=None):
        self.name, self.c, self.seconds = name, c, seconds
        self.wanted, self.ended = status, None
        self.drip, self.drips = drip, 0
        self.since = time.monotonic()

    def pass_time(self):
        """Says a little from time to time."""
        age = time.monotonic() - self.since
        if self.drip and age > 5 * self.drips:
            self.drips += 1
            try:
                self.c.write(self.drip)
            except Gone:
                pass

    def look(self):
        """Whether it has ended."""
        try:
            self.c.more()
        except Gone:
            self.ended = time.monotonic() - self.since
        return self.ended is not None

    def check(self):
        if self.seconds is None:
            assert self.ended is None, self.name
            return
        assert self.ended is not None, (self.name, "still there")
        late = self.ended - self.seconds
        assert -0.5 < late < 4, (self.name, self.ended)
        assert self.c.status() == self.wanted, self.name


def begun(c, data):
    c.write(data)
    return c


def takes_nothing():
    """Asks for more than a socket pair holds, and reads none of it."""
    c = chat("ann")
    assert c.upload("large", b"x" * (8 << 20)) == "success"
    c.ask("download large")
    return c


def left():
    c = chat("ann")
    c.must("logout")
    return c


def deadlines():
    quiet = chat("ann")
    full = Lasting("an answer that is not taken", takes_nothing(), None)
    all_of_them = [
        Lasting("not logged in", Chat(), 60),
        Lasting("not logged in, busy", Chat(), 60, drip=b"checkinbox\r\n"),
        Lasting("a first command begun", begun(Chat(), b"log"), 60, 1),
        Lasting("logged out", left(), 60),
        Lasting("a stranger's upload", begun(
            Chat(), b"upload a 99999 "), 60, 1, drip=b"x"),
        Lasting("a command begun", begun(chat("ann"), b"checki"), 60, 1),
        Lasting("a command that drips", begun(
            chat("ann"), b"send ann "), 60, 1, drip=b"x"),
        Lasting("an upload that stalls", begun(
            chat("ann"), b"upload a 99999 x"), 30, 1),
        Lasting("the end of a bad upload", begun(
            chat("ann"), b"upload a x "), 30, 1),
        Lasting("an upload that drips", begun(
            chat("ann"), b"upload slow 30 "), None, drip=b"x"),
    ]
    poll = {each.c.sock: each for each in all_of_them}
    waiting = dict(poll)
    while len(waiting) > 1:
        for sock in select.select(list(waiting), [], [], 0.1)[0]:
            if waiting[sock].look():
                del waiting[sock]
        for each in waiting.values():
            each.pass_time()
        assert time.monotonic() - all_of_them[-1].since < 80, [
            each.name for each in waiting.values()]
        if full.ended is None and full.c.process.poll() is not None:
            full.ended = time.monotonic() - full.since
    for each in all_of_them:
        each.check()
    assert 29 < full.ended < 35 and full.c.status() == 0, full.ended
    slow = all_of_them[-1]
    slow.c.ask("x" * (30 - slow.drips))
    assert slow.c.answer() == "success"
    assert quiet.inbox() == {}
    assert files() == ["large", "slow"], files()


# --- SIGTERM, and clients that are gone --------------------------------------

def terminated():
    """It finishes what it is about, and no more."""
    idle, stranger = chat("ann"), Chat()
    half = begun(chat("ann"), b"checki")
    for c in idle, stranger, half:
        c.kill(signal.SIGTERM)
        c.ended()
        assert c.status() == 0
    c = chat("ann")
    c.write(b"upload a 10 01234")
    wait_until(lambda: "message=\"upload" in c.log())
    c.kill(signal.SIGTERM)
    c.ask("56789")
    c.ask("checkinbox")
    assert c.answer() == "success"
    c.ended()
    assert c.status() == 0
    # The database is in use: this one waits for it.
    db, c = writer(), chat("ann")
    c.ask("send ann hello")
    wait_until(lambda: "message=\"send" in c.log())
    c.kill(signal.SIGTERM)
    db.execute("ROLLBACK")
    assert c.answer() == "success"
    c.ended()
    assert c.status() == 0
    # Nobody waits for the delay of a failed log-in.
    c = Chat()
    for _ in range(9):
        c.ask("login ann wrong")
    wait_until(lambda: c.log().count("login-failed") == 3)
    c.kill(signal.SIGTERM)
    assert c.status() == 0


def gone():
    """Clients that vanish in the middle leave nothing behind."""
    assert chat("ann").upload("big", b"x" * 400000) == "success"
    for words, status in (
            (b"", 0), (b"checkinb", 1), (b"checkinbox\r", 1),
            (b"upload a 10 01234", 1), (b"upload a 5 01234", 1),
            (b"upload a 5 01234\r", 1), (b"upload a x 01234", 1),
            (b"upload big 10 01234", 1), (b"upload a 99999999 01234", 1),
            (b"download big\r\n", 0), (b"checkinbox\r\n" * 9999, 0)):
        c = chat("ann")
        c.write(words)
        c.close()
        assert c.status() == status, (words, c.log())
        assert files() == ["big"]
    # Within a delay, too.
    c = Chat()
    for _ in range(4):
        c.ask("login ann wrong")
    c.close()
    assert c.status() == 0
    # One who only stops speaking is answered all the same.
    c = chat("ann")
    c.must("send ann hi")
    c.ask("checkinbox")
    c.ask("recv ann")
    c.sock.shutdown(socket.SHUT_WR)
    assert c.answer() == "inbox ann 1"
    assert c.answer().endswith(" hi")
    c.ended()


# --- who is logged in --------------------------------------------------------

LOGGED_IN = ("send ann hi", "send * hi", "checkinbox", "recv ann", "recv *",
             "getfilelist", "download a", "logout", "upload b 1 x")


def shut_out():
    """Whoever is disabled, deleted or given a new password is logged out."""
    ann = chat("ann")
    assert ann.upload("a", b"x") == "success"
    for number, command in enumerate(LOGGED_IN):
        what = ("disable", "del", "passwd")[number % 3]
        name = f"user{number}"
        c = chat(name)
        admin("user", what, name, password="another\n")
        c.refused(command, "must be logged in")
        c.refused("checkinbox", "must be logged in")
        c.refused(f"login {name} the password",
                  "invalid username or password")
        c.must("login ann the password")
        c.leave()
    assert ann.inbox() == {} and files() == ["a"]
    c = chat("bob")
    admin("user", "disable", "bob")
    ann.must("send bob waits")
    admin("user", "enable", "bob")
    c.leave()
    assert chat("bob").drain() == [("ann", "bob", "waits")]


# --- failed log-ins ----------------------------------------------------------

def took(c, command, answer="error invalid username or password"):
    begin = time.monotonic()
    got = c.say(command)
    assert got == answer, got
    return time.monotonic() - begin


HERE = {"REMOTE_ADDR": "192.0.2.1"}


def forget_sources():
    """The table that connections from now on share."""
    os.unlink(RUN + "/rate")


def told_apart(waits):
    """Three without delay, each further one a second later than the last."""
    for number, wait in enumerate(waits):
        wanted = max(0, number - 2)
        assert wanted <= wait < wanted + 3, waits


def delayed():
    """From the fourth on, of one connection and of one source."""
    chat("ann").leave()
    c = Chat(env=HERE)
    told_apart([took(c, "login ann wrong") for _ in range(5)])
    took(c, "login ann the password", "success")
    # Though its source is forgotten, the connection is not.
    forget_sources()
    c = Chat(env=HERE)
    for _ in range(3):
        took(c, "login ann wrong")
    os.truncate(RUN + "/rate", 0)
    assert took(c, "login ann wrong") >= 1
    forget_sources()
    with Server() as server:
        for dial in server.dial, server.dial_unix:
            told_apart([took(dial(), "login ann wrong") for _ in range(4)])
            assert took(dial(), "login ann the password", "success") < 3
        server.logged(f"peer=uid:{os.getuid()} ")


def cpu(c):
    """Nanoseconds that its handler has run: a busy machine changes little."""
    with open(f"/proc/{c.process.pid}/schedstat") as file:
        return int(file.read().split()[0])


def as_slow():
    """Who is not there costs what a wrong password costs."""
    chat("ann").leave()
    chat("bob").leave()
    chat("eve").leave()
    admin("user", "disable", "bob")
    admin("user", "del", "eve")
    least = dict.fromkeys(("ann", "bob", "eve", "nobody", "no-name"), 1e12)
    for _ in range(20 * SCALE):  # the least of many: others use the memory too
        for name in least:
            c = Chat()
            c.say("checkinbox")
            before = cpu(c)
            took(c, f"login {name} wrong")
            least[name] = min(least[name], cpu(c) - before)
            c.leave()
        if max(least.values()) < 1.2 * min(least.values()):
            return
    raise AssertionError(least)


if __name__ == "__main__":
    main({f.__name__: f for f in (
        deadlines, terminated, gone, shut_out, delayed, as_slow)})
