#!/usr/bin/env python3
"""Backups of a host that is talked to at every door, and what is in them.

	backup_load.py DIR BACKUPS KILLS [SECONDS]

In DIR it serves all four doors and has sixteen writers, four a door, say, send,
upload and register what they can, one thing after another, and note what was
acknowledged when. Meanwhile rooms are made and deleted, BACKUPS backups are made
and KILLS more are killed at random. Then each backup is restored into a state of
its own, and all that was acknowledged before it began must be there. Prints a
line for each backup; exit 0: all was there.
"""
import base64
import http.client
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time

BUILD = os.environ["BUILD"]
PARLANCE = BUILD + "/bin/parlance"
DOORS = ("chatfile", "hchat", "bcs", "toychat")
REGISTER, SEND, DELIVER, STATUS, SENDFILE = range(1, 6)


class Host:
    """What was acknowledged: (when, kind, ...)."""

    def __init__(self, where):
        self.where, self.ledger, self.errors = where, [], []
        self.over = threading.Event()
        self.environment = environment(where, "state")

    def note(self, kind, *what):
        self.ledger.append((time.monotonic(), kind) + what)

    def start(self):
        self.log = open(self.where + "/log", "wb")
        self.serve = subprocess.Popen(
            [BUILD + "/helpers/serve"] +
            [door + "=127.0.0.1:0" for door in DOORS],
            env=self.environment, stderr=self.log, stdin=subprocess.DEVNULL)
        self.ports = {}
        end = time.monotonic() + 15
        while len(self.ports) < 4:
            with open(self.where + "/log") as log:
                self.ports = {
                    door: int(port) for door, port in re.findall(
                        r"event=listening door=(\w+) address=\S+:(\d+)",
                        log.read())}
            assert time.monotonic() < end and self.serve.poll() is None
            self.over.wait(0.02)

    def stop(self):
        self.serve.terminate()
        assert self.serve.wait(30) == 0
        self.log.close()

    def parlance(self, *words, text="", state="state", good=(0,)):
        done = subprocess.run(
            (PARLANCE,) + words, env=environment(self.where, state),
            input=text, capture_output=True, text=True)
        assert done.returncode in good, (words, done)
        return done


def environment(where, state):
    return {**os.environ, "STATE_DIRECTORY": f"{where}/{state}",
            "RUNTIME_DIRECTORY": f"{where}/{state}.run", "HOME": where,
            "PARLANCE_CONF": where + "/conf", "PARLANCE_RATE": "0",
            "PARLANCE_MIN_FREE": "0", "PARLANCE_CREATE_RATE": "100000"}


# --- a writer at each door ---------------------------------------------------

def chatfile(host, n):
    basic = base64.b64encode(b"alice:secret").decode()
    http_ = http.client.HTTPConnection("127.0.0.1", host.ports["chatfile"])
    at, k = 0, 0
    while not host.over.is_set():
        k += 1
        room = f"room{n}-{k // 50}"
        at = at if k % 50 else 0
        http_.request("POST", f"/rooms/{room}.txt", f"chatfile {n} {k}\n",
                      {"Authorization": "Basic " + basic,
                       "Range": f"bytes={at}-"})
        answer = http_.getresponse()
        answer.read()
        assert answer.status == 206, answer.status
        at = int(answer.headers["Content-Range"].split("/")[1])
        host.note("said", room, f"chatfile {n} {k}")


def hchat(host, n):
    http_ = http.client.HTTPConnection("127.0.0.1", host.ports["hchat"])
    k = 0
    while not host.over.is_set():
        if k % 100 == 0:
            http_.request("GET", f"/chat_create?subject=S{n}-{k}&listed=1")
            answer = http_.getresponse()
            answer.read()
            room = answer.headers["Location"].split("/")[-1]
            host.note("made", room, f"S{n}-{k}")
        k += 1
        http_.request("POST", "/send/" + room, f"hchat {n} {k}",
                      {"Content-Type": "text/plain"})
        answer = http_.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        host.note("said", room, f"hchat {n} {k}")


def string(text):
    return struct.pack(">H", len(text)) + text


def bcs(host, n):
    sock = socket.create_connection(("127.0.0.1", host.ports["bcs"]))
    stream = sock.makefile("rb")

    def take(length):
        got = stream.read(length)
        assert len(got) == length
        return got

    def text():
        return take(struct.unpack(">H", take(2))[0])

    def status():
        while True:
            kind = take(1)[0]
            if kind == STATUS:
                code = take(1)[0]
                return code, text()
            text(), text()
            if kind == DELIVER:
                sock.sendall(bytes([STATUS, 0]) + string(b"ok"))

    sock.sendall(bytes([REGISTER]) + string(b"bcs%d" % n))
    assert status()[0] == 0
    k = 0
    while not host.over.is_set():
        k += 1
        if k % 20 == 0:
            data = random.randbytes(random.randrange(100000))
            sock.sendall(bytes([SENDFILE]) + string(b"b%d-%d" % (n, k)) +
                         struct.pack(">I", len(data)) + data)
            kind = ("file", f"b{n}-{k}", data)
        else:
            sock.sendall(bytes([SEND]) + string(b"bcs %d %d" % (n, k)))
            kind = ("said", "lobby", f"bcs {n} {k}")
        answer = status()
        assert answer[0] == 0, answer
        host.note(*kind)


def toychat(host, n):
    sock = socket.create_connection(("127.0.0.1", host.ports["toychat"]))
    stream = sock.makefile("rb")

    def ask(command):
        sock.sendall(command)
        answer = stream.readline()
        assert answer.startswith(b"success"), (command[:60], answer)

    ask(b"register toy%d secret\r\n" % n)
    host.note("account", f"toy{n}")
    k = 0
    while not host.over.is_set():
        k += 1
        if k % 20 == 0:
            data = random.randbytes(random.randrange(100000))
            ask(b"upload t%d-%d %d " % (n, k, len(data)) + data + b"\r\n")
            host.note("file", f"t{n}-{k}", data)
        elif k % 3:
            ask(b"send bob direct %d %d\r\n" % (n, k))
            host.note("direct", f"direct {n} {k}")
        else:
            ask(b"send * toychat %d %d\r\n" % (n, k))
            host.note("said", "lobby", f"toychat {n} {k}")


def registrar(host, _):
    k = 0
    while not host.over.wait(0.02):
        k += 1
        host.parlance("user", "add", f"new{k}", text="secret\n")
        host.note("account", f"new{k}")


def churn(host, _):
    k = 0
    while not host.over.wait(0.01):
        k += 1
        host.parlance("room", "say", "-u", "alice", f"churn{k}", "hi")
        if k > 3:
            host.parlance("room", "del", f"churn{k - 3}")


def guarded(host, act, n):
    try:
        act(host, n)
    except Exception as error:  # told by main
        if not host.over.is_set():
            host.errors.append((act.__name__, n, repr(error)))
            host.over.set()


# --- what is in a backup -----------------------------------------------------

def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def compare(host, name, began):
    """Restores it and returns how many promises it kept."""
    state = f"{host.where}/again"
    host.parlance("restore", f"{host.where}/{name}", state="again")
    host.parlance("check", state="again")
    rooms = {r[:-4]: read(state, "rooms", r)
             for r in os.listdir(state + "/rooms")}
    for room, text in rooms.items():
        now = f"{host.where}/state/rooms/{room}.txt"
        assert room.startswith("churn") or read(now).startswith(text), room
        assert text.endswith(b"\n"), room
    lines = {room: set(text.split(b"\n")) for room, text in rooms.items()}
    db = sqlite3.connect(f"file:{state}/db/parlance.db?mode=ro", uri=True)
    users = {name for name, in db.execute("SELECT username FROM users")}
    inbox = {body for body, in db.execute("SELECT body FROM messages")}
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()
    assert users == set(os.listdir(state + "/accounts"))
    for number, file in enumerate(
            re.findall(rb" file=(\S+)$", rooms["lobby"], re.M)):
        assert os.path.exists(state + "/files/" + file.decode()), file
    kept = 0
    for when, kind, *what in list(host.ledger):
        if when >= began:
            continue
        kept += 1
        if kind == "said":
            assert what[1].encode() in lines[what[0]], what
        elif kind == "made":
            assert what[1].encode() in read(state, "meta", what[0])
        elif kind == "file":
            assert read(state, "files", what[0]) == what[1], what[0]
        elif kind == "direct":
            assert what[0] in inbox, what
        elif kind == "account":
            assert what[0] in users, what
    shutil.rmtree(state)
    shutil.rmtree(state + ".run")
    return kept


def pause(host, seconds):
    host.over.wait(seconds)
    assert not host.errors, host.errors


def backup(host, name):
    began = time.monotonic()
    host.parlance("backup", f"{host.where}/{name}")
    return began, time.monotonic() - began


def killed(host, name, most):
    """One that is killed within so many seconds; was that before its end? One
    that says it is whole, is whole."""
    began = time.monotonic()
    process = subprocess.Popen(
        [PARLANCE, "backup", f"{host.where}/{name}"], env=host.environment,
        stdout=subprocess.DEVNULL)
    try:
        process.wait(random.uniform(0, most))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    code = process.wait()
    assert code in (0, -signal.SIGKILL), code
    whole = os.path.exists(f"{host.where}/{name}/version")
    assert whole or code, name
    if whole:
        compare(host, name, began)
    elif os.path.exists(f"{host.where}/{name}"):
        refused = host.parlance(
            "restore", f"{host.where}/{name}", state="again", good=(1,))
        assert "no whole backup" in refused.stderr
    shutil.rmtree(f"{host.where}/{name}", ignore_errors=True)
    return not whole


def main(where, backups, kills, seconds=0.5):
    open(where + "/conf", "w").close()
    host = Host(where)
    for name in ("alice", "bob"):
        host.parlance("user", "add", name, text="secret\n")
    host.start()
    threads = [
        threading.Thread(target=guarded, args=(host, act, n), daemon=True)
        for act, count in ((chatfile, 4), (hchat, 4), (bcs, 4), (toychat, 4),
                           (registrar, 1), (churn, 1))
        for n in range(count)]
    try:
        for thread in threads:
            thread.start()
        made = []
        for k in range(backups):
            pause(host, seconds)
            made.append((f"b{k}",) + backup(host, f"b{k}"))
        most = max(took for _, _, took in made)
        unready = sum(killed(host, f"k{k}", most) for k in range(kills))
        pause(host, 0)
        host.over.set()
        for thread in threads:
            thread.join(30)
        host.stop()
        assert not host.errors, host.errors
        host.parlance("check")
        for name, began, took in made:
            kept = compare(host, name, began)
            print(f"backup={name} ms={took * 1000:.0f} kept={kept} of "
                  f"{len(host.ledger)}")
        print(f"killed={unready} of {kills}")
    finally:
        host.over.set()
        if host.serve.poll() is None:
            host.serve.kill()
            host.serve.wait()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]),
         *map(float, sys.argv[4:]))
