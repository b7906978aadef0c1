"""Clients of the toychat door for tests, written from specs/toychat.txt alone,
and what they talk to: a handler of their own each, or serve.

	ann = chat("ann")              registered or logged in, by a new handler
	ann.must("send bob hello")     asserts success
	ann.say("checkinbox")          the answer, without its CRLF
	ann.kill()

Uses what helper_process.py uses, and STATE_DIRECTORY.
"""
import os
import re
import signal
import socket
import sqlite3
import subprocess

from helper_process import BUILD, PATIENCE, RUN, HelperProcess, children

STATE = os.environ["STATE_DIRECTORY"]
LOBBY = STATE + "/rooms/lobby.txt"
DATABASE = STATE + "/db/parlance.db"
HANDLER = BUILD + "/handlers/toychat"
BUSY = "server busy"


class Gone(Exception):
    """The server hung up before it answered."""


class Connection:
    """A client. Answers are read one by one."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self.got = b""

    def write(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone(error) from error

    def ask(self, command):
        if isinstance(command, str):
            command = command.encode()
        self.write(command + b"\r\n")

    def more(self):
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionError as error:
            raise Gone(error) from error
        if not data:
            raise Gone("end")
        self.got += data

    def until(self, mark, at=0):
        """The place of the next mark."""
        while (found := self.got.find(mark, at)) < 0:
            self.more()
        return found

    def take(self, count):
        while len(self.got) < count:
            self.more()
        data, self.got = self.got[:count], self.got[count:]
        return data

    def answer(self):
        """The next one; of a file (name, contents)."""
        while len(self.got) < 5 and not self.got.endswith(b"\n"):
            self.more()
        if self.got.startswith(b"file "):
            head = self.take(self.until(b" ", self.until(b" ", 5) + 1) + 1)
            _, name, size, _ = head.decode().split(" ")
            contents = self.take(int(size))
            assert self.take(2) == b"\r\n"
            return name, contents
        line = self.take(self.until(b"\r\n") + 2)
        return line[:-2].decode()

    def say(self, command):
        self.ask(command)
        return self.answer()

    def must(self, command):
        answer = self.say(command)
        assert answer == "success", (command, answer)

    def refused(self, command, text):
        answer = self.say(command)
        assert answer == "error " + text, (command, answer)

    def upload(self, name, contents):
        return self.say(b"upload %s %d " % (name.encode(), len(contents)) +
                        contents)

    def inbox(self):
        """{sender: count}, in the order of the answer."""
        word, *fields = self.say("checkinbox").split(" ")
        assert word == "inbox", (word, fields)
        return dict(zip(fields[::2], map(int, fields[1::2])))

    def recv(self, sender):
        """(from, to, body), or None."""
        answer = self.say("recv " + sender)
        if answer == "error no messages from user":
            return None
        word, when, *rest = answer.split(" ", 4)
        assert word == "message", answer
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", when), answer
        return tuple(rest)

    def drain(self):
        """Takes all that is in the inbox: [(from, to, body)]."""
        return [self.recv(sender) for sender, count in self.inbox().items()
                for _ in range(count)]

    def ended(self):
        """Asserts that the server hung up and said nothing more."""
        try:
            while True:
                self.more()
        except Gone:
            assert self.got == b"", self.got

    def close(self):
        self.sock.close()


class Chat(Connection):
    """With a handler that nobody serves, at a socket pair."""

    def __init__(self, before=(), env=None):
        ours, theirs = socket.socketpair()
        # Each comes from elsewhere: failed log-ins are counted by source.
        number = len(children)
        peer = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        self.log_name = os.path.join(
            os.environ["HOME"], f"log.{number}")
        with open(self.log_name, "wb") as log:
            self.process = subprocess.Popen(
                [*before, HANDLER], stdin=theirs, stdout=theirs, stderr=log,
                env={**os.environ, "REMOTE_ADDR": peer, **(env or {})})
        children.append(self.process)
        theirs.close()
        super().__init__(ours)

    def log(self):
        with open(self.log_name, encoding="utf-8") as log:
            return log.read()

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)

    def status(self):
        """The handler's, once it has ended."""
        return self.process.wait(PATIENCE)

    def leave(self):
        self.close()
        assert self.status() == 0, self.log()


def chat(name, **how):
    """Somebody who is logged in, registered before if need be."""
    c = Chat(**how)
    if c.say(f"register {name} the password") != "success":
        c.must(f"login {name} the password")
    return c


def strace(*inject):
    """What to run a handler under, so that it is tampered with."""
    calls = {call for what in inject
             for call in what.split(":")[0].split(",")}
    return ("strace", "-qq", "-o", os.environ["HOME"] + "/trace", "-e",
            "trace=" + ",".join(sorted(calls)),
            *[arg for what in inject for arg in ("-e", "inject=" + what)])


def trace():
    with open(os.environ["HOME"] + "/trace", encoding="utf-8") as file:
        return file.read()


class Server(HelperProcess):
    """serve with these doors on free ports, and toychat on a Unix socket."""
    program = BUILD + "/helpers/serve"
    socket = RUN + "/toychat.sock"

    def __init__(self, *doors, **settings):
        os.makedirs(RUN, mode=0o711, exist_ok=True)
        super().__init__(
            self.program, "toychat=127.0.0.1:0", "toychat=" + self.socket,
            *[f"{door}=127.0.0.1:0" for door in doors],
            wait="socket=fanout.sock", env=dict(
                {"PARLANCE_MIN_FREE": "1M"},
                **{f"PARLANCE_{k}": str(v) for k, v in settings.items()}))

    def port(self, door):
        for line in list(self.log):
            found = re.search(
                rf"event=listening door={door} address=.*:(\d+)$", line)
            if found:
                return int(found[1])
        raise LookupError(door)

    def dial(self):
        return Connection(socket.create_connection(
            ("127.0.0.1", self.port("toychat")), PATIENCE))

    def dial_unix(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.socket)
        return Connection(s)

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        if failed:
            print("".join(self.log[-30:]))
        else:
            assert self.end() == 0


# --- what is on disk ---------------------------------------------------------

def rows(sql):
    """As the sqlite3 shell shows them. It may have to wait for who opens the
    database after a kill, or closes it as the last one."""
    done = subprocess.run(
        ["sqlite3", "-readonly", "-cmd", ".timeout 10000", DATABASE, sql],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def assert_sound():
    assert rows("PRAGMA integrity_check") == ["ok"]
    assert rows("PRAGMA foreign_key_check") == []


def writer():
    """Somebody with the shell, who holds the database until told otherwise."""
    db = sqlite3.connect(DATABASE, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    return db
