"""toychat_doors.py SCENARIO: the text door is a part of one host. See
toychat.py; toychat-doors.bats says what each scenario is.
"""
import base64
import os
import re
import socket
import sys
import urllib.error
import urllib.request

from bcs_frames import frames, make
from helper_process import PATIENCE, main
from toychat import STATE, Chat, Gone, Server, chat

PASSWORD = "the password"


class Guest:
    """A client of the binary door, who acknowledges all it hears."""

    def __init__(self, server, name):
        self.sock = socket.create_connection(
            ("127.0.0.1", server.port("bcs")), PATIENCE)
        self.data, self.seen = b"", []
        self.write("register:" + name)

    def write(self, frame):
        self.sock.sendall(make(frame.encode()))

    def take(self):
        data, self.data = self.data, b""
        for frame in frames(data):
            if frame[0] == "cut":
                self.data = frame[1]
                break
            self.seen.append(frame)
            if frame[0] == "deliver":
                self.write("ok")

    def until(self, kind, *fields):
        """Reads to a frame that begins with these fields."""
        wanted = (kind, *[f.encode() if isinstance(f, str) else f
                          for f in fields])
        while True:
            self.take()
            for at, frame in enumerate(self.seen):
                if frame[:len(wanted)] == wanted:
                    del self.seen[:at + 1]
                    return
            more = self.sock.recv(65536)
            assert more, (wanted, self.seen)
            self.data += more

    def leave(self):
        self.sock.close()


def http(server, door, path, name=None, body=None):
    """Status and body."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port(door)}{path}", data=body)
    if body is not None:
        request.add_header("Content-Type", "text/plain")
    if name:
        pair = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", "Basic " + pair)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def one_conversation():
    """Accounts, words and files go from each door to each other one."""
    with Server("bcs", "chatfile", "hchat") as server:
        ann = server.dial()
        ann.must("register ann " + PASSWORD)
        bob = Guest(server, "bob")
        bob.until("deliver", "server")
        # Her account is good everywhere.
        assert http(server, "chatfile", "/rooms/")[0] == 401
        assert http(server, "chatfile", "/rooms/", "ann")[0] == 200
        assert http(server, "hchat", "/send/lobby", "ann", b"web")[0] == 200
        assert http(server, "chatfile", "/rooms/lobby.txt", "ann",
                    b"file\n")[0] == 206
        assert http(server, "hchat", "/send/lobby", None, b"guest\nof")[0] in (
            200, 401)
        bob.write("send:binary")
        bob.until("status", 0)
        inbox = ann.inbox()
        assert list(inbox) == ["*"]
        got = [ann.recv("*") for _ in range(inbox["*"])]
        assert got[:2] == [("ann", "*", "web"), ("ann", "*", "file")], got
        assert got[-1] == ("~bob", "*", "binary"), got
        assert re.match("~", got[2][0]) and got[2][2] == "guest of", got
        # Her words are.
        ann.must("send * hello")
        bob.until("deliver", "ann", "hello")
        assert b"\nhello\n\\ann @ " in http(
            server, "chatfile", "/rooms/lobby.txt", "ann")[1]
        number = http(server, "hchat", "/chat/lobby.txt")[1].count(b"\n\\")
        assert http(server, "hchat", f"/msg/lobby/{number}")[1] == b"hello"
        # And files.
        contents = bytes(range(256)) * 300
        assert ann.upload("from-ann", contents) == "success"
        bob.until("fnotify", "ann", "from-ann")
        bob.write("getfile:from-ann")
        bob.until("recvfile", contents)
        assert http(server, "hchat", "/files/from-ann") == (200, contents)
        bob.write("sendfile:from-bob:\\x00\\r\\nbytes")
        bob.until("status", 0)
        assert ann.say("getfilelist") == "filelist from-ann from-bob"
        assert ann.say("download from-bob") == ("from-bob", b"\0\r\nbytes")
        # The records that tell of files are in no inbox.
        assert ann.drain() == [("ann", "*", "hello")]


def names():
    """A name is one person's, on every door."""
    with Server("bcs", "hchat") as server:
        bob = Guest(server, "Bob")
        bob.until("status", 0)
        c = server.dial()
        for name in "Bob", "bob", "BOB":
            c.refused(f"register {name} {PASSWORD}",
                      "username already registered")
        assert not os.path.exists(STATE + "/accounts/bob")
        bob.leave()
        while c.say("register Bob " + PASSWORD) != "success":
            c.say("checkinbox")
        bob = Guest(server, "bob")
        bob.until("status", 2)
        c.must("logout")
        for name in "bob", "server", "Guest", "anonymous":
            c.refused(f"register {name} {PASSWORD}",
                      "username already registered")


# --- confined ----------------------------------------------------------------

def confined():
    """Everything there is, in the sandbox, from the first account on."""
    require = {"PARLANCE_SANDBOX": "require"}
    c = Chat(env=require)
    try:
        c.refused("checkinbox", "must be logged in")
    except Gone:
        sys.exit(c.log())  # no such sandbox here
    with open(f"/proc/{c.process.pid}/status") as status:
        assert re.search(r"^Seccomp:\s2$", status.read(), re.M)
    c.must("register ann " + PASSWORD)
    bob = chat("bob", env=require)
    for to in "ann", "bob", "*":
        c.must(f"send {to} hello")
    assert c.inbox() == {"*": 1, "ann": 1}
    assert bob.drain() == [("ann", "*", "hello"), ("ann", "bob", "hello")]
    assert c.drain() == [("ann", "*", "hello"), ("ann", "ann", "hello")]
    assert c.say("getfilelist") == "filelist"
    assert c.upload("a", b"x" * 100000) == "success"
    assert c.say("getfilelist") == "filelist a"
    assert bob.say("download a") == ("a", b"x" * 100000)
    assert bob.upload("a", b"") == "error file already exists"
    c.must("logout")
    for _ in range(4):
        c.refused("login ann wrong", "invalid username or password")
    c.must("login ann " + PASSWORD)
    # After it gave its memory back, and where a record is torn.
    with open(STATE + "/rooms/lobby.txt", "ab") as lobby:
        lobby.write(b"torn")
    c.must("send * again")
    assert os.listdir(STATE + "/lost")
    assert bob.drain() == [("ann", "*", "again")]
    for each in c, bob:
        each.leave()
        wrong = [line for line in each.log().splitlines()
                 if "error=" in line]
        assert not wrong, wrong


if __name__ == "__main__":
    main({f.__name__: f for f in (one_conversation, names, confined)})
