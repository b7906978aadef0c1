#!/usr/bin/env python3
"""tests/bcs_doors.py SCENARIO: the bcs door beside chatfile and hchat: one
conversation (design 7). Uses what tests/bcs_live.py uses.
"""
import base64
import http.client
import json
import os
import subprocess
import threading
import urllib.parse

from bcs import FNOTIFY
from bcs_host import LOBBY, STATE, Server, heard_all, lobby
from helper_process import BUILD, PATIENCE, main

PASSWORD = "secret"
BASIC = "Basic " + base64.b64encode(f"carol:{PASSWORD}".encode()).decode()
# Texts that a door might take for its own.
TEXTS = ["hello", "two\nlines", "ends so\n", "\\o/", "\\\\", "a\\b",
         "\\bob @ 2026-11-20T14:03:07Z bcs", "text\n\\carol @ 2026-11-20T14:03:"
         "07Z chatfile file=x\n", "\n\n", "\t", "data: {}\n\nid: 7",
         "ünï \U0001f600", "x" * 65535, "\\" * 65535, "\\\n" * 32767,
         "\U0001f600" * 16383]


def parlance(*words, text=None):
    return subprocess.run([BUILD + "/bin/parlance", *words], input=text,
                          capture_output=True, text=True)


def user_add(name):
    return parlance("user", "add", name, text=PASSWORD + "\n").returncode


class Web:
    def __init__(self, server, door="hchat"):
        self.at = http.client.HTTPConnection(
            "127.0.0.1", server.port(door), timeout=PATIENCE)

    def ask(self, method, path, body=None, **fields):
        if isinstance(body, str):
            body = body.encode()
        self.at.request(method, path, body, fields)
        reply = self.at.getresponse()
        return reply, reply.read().decode()

    def say(self, text, **fields):
        reply, body = self.ask("POST", "/send/lobby", text, **{
            "Content-Type": "text/plain", **fields})
        assert reply.status == 200, (reply.status, body)

    def message(self, number):
        reply, text = self.ask("GET", f"/msg/lobby/{number}")
        assert reply.status == 200, (number, reply.status)
        return urllib.parse.unquote(reply.getheader("Chat-Author")), text


GUEST = {"Cookie": "hchat=0123456789abcdef; name=ivan"}
NAMESAKE = {"Cookie": "hchat=fedcba9876543210; name=alice"}


class Events:
    """What a stream tells, read beside the hub's loop."""

    def __init__(self, server, first):
        self.heard = []
        self.at = http.client.HTTPConnection(
            "127.0.0.1", server.port("hchat"), timeout=PATIENCE)
        self.at.request("GET", f"/events/lobby?from={first}")
        self.reply = self.at.getresponse()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for line in self.reply:
                if line.startswith(b"data: "):
                    data = json.loads(line[6:])
                    if "text" in data:
                        self.heard.append(data)
        except (OSError, ValueError, AttributeError):
            pass


class Chatfile:
    """The chatfile client in a folder of its own."""

    def __init__(self, server):
        self.folder = STATE + "/../synced"
        os.makedirs(self.folder)
        self.file = self.folder + "/lobby.txt"
        self.run("-u", "carol", "http://127.0.0.1:"
                 f"{server.port('chatfile')}/rooms/lobby.txt")

    def run(self, *arguments):
        done = subprocess.run(
            [BUILD + "/bin/chatfile", *arguments], cwd=self.folder,
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
            env=dict(os.environ, CHATFILE_PASSWORD=PASSWORD))
        assert done.returncode == 0, done.stderr

    def say(self, stored):
        with open(self.file, "a", newline="", encoding="utf-8") as file:
            file.write(stored)
        self.run("lobby.txt")

    def same(self):
        """The same messages; one's own stand elsewhere."""
        self.run("lobby.txt")
        with open(self.file, "rb") as mine, open(LOBBY, "rb") as theirs:
            assert sorted(mine.read()) == sorted(theirs.read())


def stored(text):
    """As a chatfile client has to write it (design 4)."""
    if text.endswith("\n"):
        text += "\n"  # else the door adds it
    return "".join("\\" + line if line.startswith("\\") else line
                   for line in text.splitlines(keepends=True))


def from_bcs():
    """What a bcs client says, at every other door."""
    assert user_add("carol") == 0
    with Server("hchat", "chatfile") as s:
        hub = s.hub
        web = Web(s)
        events = Events(s, 1)
        alice, bob = hub.join("alice", "bob")
        hub.agree()
        copy = Chatfile(s)
        asked = [alice.send(text) for text in TEXTS]
        hub.until(lambda: all(a.done for a in asked))
        assert not any(a.code for a in asked), [a.text for a in asked]
        hub.until(lambda: len(bob.texts()) == len(TEXTS))
        assert bob.said() == [("alice", text) for text in TEXTS]
        for i, text in enumerate(TEXTS):
            assert web.message(i + 1) == ("~alice", text), i
        hub.until(lambda: len(events.heard) == len(TEXTS))
        assert [(e["author"], e["text"]) for e in events.heard] == [
            ("~alice", text) for text in TEXTS]
        reply, page = web.ask("GET", "/chat/lobby")
        assert reply.status == 200
        assert reply.getheader("Chat-Last") == str(len(TEXTS))
        reply, text = web.ask("GET", "/chat/lobby.txt")
        with open(LOBBY, newline="", encoding="utf-8") as file:
            assert text == file.read()
        records = lobby()
        assert [(r.author, r.door, r.text) for r in records] == [
            ("~alice", "bcs", text) for text in TEXTS]
        copy.same()
        up = bob.sendfile("a b%.txt", b"contents")
        hub.until(lambda: up.done and ("bob", FNOTIFY, "a b%.txt")
                  in alice.said())
        author, text = web.message(len(TEXTS) + 1)
        assert (author, text) == ("~bob", "bob has uploaded a b%.txt")
        reply, text = web.ask("GET", "/files/a%20b%25.txt")
        assert reply.status == 200 and text == "contents"
        heard_all([alice, bob])


def to_bcs():
    """What is said at other doors, with its author, at the bcs door."""
    assert user_add("carol") == 0
    with Server("hchat", "chatfile") as s:
        hub = s.hub
        hub.accounts = {"carol"}
        web, copy = Web(s), Chatfile(s)
        alice, bob = hub.join("alice", "bob")
        hub.agree()
        wanted = []
        for text in TEXTS:
            web.say(text)
            web.say(text, **GUEST)
            web.say(text, **NAMESAKE)
            web.say(text, Authorization=BASIC)
            wanted += [(who, text)
                       for who in ("~anonymous", "~ivan", "~alice", "carol")]
            # This door counts the bytes as they are sent.
            if len(stored(text).encode()) <= 65535:
                copy.say(stored(text))
                wanted.append(("carol", text))
            assert parlance("room", "say", "-u", "carol", "lobby",
                            text="x\n").returncode == 0
            wanted.append(("carol", "x"))
        hub.until(lambda: all(len(c.texts()) == len(wanted)
                              for c in (alice, bob)))
        assert bob.said() == wanted
        # A namesake's words are not its own, not at its own door either.
        assert alice.said() == wanted
        copy.same()
        heard_all([alice, bob])


def accounts():
    """A guest is no account, and an account no guest's."""
    assert user_add("carol") == 0
    with Server("hchat") as s:
        hub = s.hub
        web = Web(s)
        alice = hub.join("alice")
        for name in "carol", "CAROL":
            c = hub.dial(name)
            asked = c.register()
            hub.until(lambda: c.closed)
            assert asked.code == 2, (name, asked.code, asked.text)
        assert user_add("Alice") != 0
        reply, _ = web.ask("POST", "/send/lobby", "x", Cookie="hchat=0123456789"
                           "abcdef; name=carol")
        assert reply.status == 409
        hub.leave(alice)
        hub.until(lambda: user_add("alice") == 0)
        c = hub.dial("Alice")
        asked = c.register()
        hub.until(lambda: c.closed)
        assert asked.code == 2
        assert lobby() == []


def history():
    """A history of another server, touched by hand: still delivered from."""
    os.makedirs(STATE + "/rooms", mode=0o2750)
    with open(LOBBY, "wb") as file:
        file.write(b"old\n\\bob\n\\\n\xff\x00 \x1b[2J\n\\carol @ then\n"
                   * 1000)
    with Server("hchat") as s:
        hub = s.hub
        alice, bob = hub.join("alice", "bob")
        asked = bob.send("new")
        hub.until(lambda: asked.done and alice.texts())
        assert alice.said() == [("bob", "new")]
        Web(s).say("newer", **GUEST)
        hub.until(lambda: len(alice.texts()) == 2)
        assert alice.said()[1] == ("~ivan", "newer")


if __name__ == "__main__":
    main(globals())
