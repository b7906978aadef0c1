#!/usr/bin/env python3
"""tests/bcs_files.py SCENARIO: what tests/bcs-files.bats has happen with files.

Uses BUILD, STATE_DIRECTORY, RUNTIME_DIRECTORY and TEST_SCALE, and SMALL where
it is about a disk that fills up. Fails by an exception.
"""
import hashlib
import os
import re
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from bcs import FNOTIFY, SENDFILE, frame
from bcs_host import (
    STATE, Server, handler_of, heard_all, kill, lobby)
from helper_process import RUN, main

FILES = STATE + "/files/"
MIB = 1 << 20
OK, PROTOCOL, NAME, MESSAGE, STORAGE, FILE, NO_FILE = range(7)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def done(*asked):
    return lambda: all(a.done for a in asked)


def told(hub, client, code, *asked):
    """Each is answered so, and the connection is in step and goes on."""
    hub.until(done(*asked), lambda: (client, [a.code for a in asked]))
    for a in asked:
        assert a.code == code and a.text, (a.code, a.text)
    after = client.send("in step")
    hub.until(done(after), lambda: client)
    assert after.code == OK, after.text


def all_heard(hub, *clients):
    """Each heard all that the others said. Two fences, since who raises one
    may not have heard all before it."""
    hub.fence(clients[0])
    hub.fence(clients[1])
    heard_all(clients)


def is_there(hub, client, name, data):
    got = client.getfile(name)
    hub.until(done(got), lambda: client)
    assert got.code == OK, (name, got.code, got.text)
    assert (got.size, got.digest) == (len(data), digest(data)), (name, got.size)


def stored():
    return sorted(os.listdir(FILES))


def used(folder):
    fs = os.statvfs(folder)
    return (fs.f_blocks - fs.f_bfree) * fs.f_frsize


def peak(pid):
    """The most memory it ever had of its own, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) << 10


# --- sizes ---------------------------------------------------------------------

def sizes():
    """0 bytes, 1, the cap; all others are told, and nobody else is."""
    cap = os.urandom(MIB) * 64
    files = {"none": b"", "one": b"x", "cap": cap}
    with Server() as s:
        hub = s.hub
        a, b, c = hub.join("a", "b", "c")
        hub.agree()
        for name, data in files.items():
            up = a.sendfile(name, data)
            hub.until(done(up), lambda: a)
            assert up.code == OK, (name, up.text)
            is_there(hub, b, name, data)
            is_there(hub, a, name, data)
            assert os.stat(FILES + name).st_mode & 0o7777 == 0o640
        assert peak(handler_of("a")) < 16 * MIB, peak(handler_of("a"))
        assert peak(handler_of("b")) < 16 * MIB, peak(handler_of("b"))
        told(hub, a, FILE, a.sendfile("more", cap + b"x"))
        all_heard(hub, a, b, c)
        for heard in b, c:
            assert [said for said in heard.said() if FNOTIFY in said] == [
                ("a", FNOTIFY, name) for name in files]
        assert not [said for said in a.said() if FNOTIFY in said]
        assert stored() == sorted(files)
        record = lobby()[0]
        assert (record.author, record.door) == ("~a", "bcs")
        assert (record.text, record.file) == ("a has uploaded none", "none")


def announced():
    """4 GiB announced: refused, or taken byte by byte, and never reserved."""
    most = 0xffffffff
    for setting in "64M", "16G":
        with Server(FILE_MAX=setting) as s:
            hub = s.hub
            a, b = hub.join("a", "b")
            hub.agree()
            before = used(FILES)
            a.sendfile("huge", b"x" * MIB, size=most)
            sent = []
            a.write(lambda: sent.append(True))
            hub.until(lambda: sent)
            hub.fence(b, among=[])
            assert used(FILES) - before < 512 * MIB
            a.hang_up()
            hub.until(lambda: "a has left" in b.news())
            assert stored() == []
            assert not [said for said in b.said() if FNOTIFY in said]


def cut_short():
    """The connection ends, or its handler is killed: nothing is left."""
    with Server() as s:
        hub = s.hub
        watcher = hub.join("watcher")
        for end in "hang up", "half close", "kill":
            c = hub.join("c")
            hub.agree()
            sent = []
            c.sendfile("cut", b"x" * MIB, size=2 * MIB)
            c.write(lambda: sent.append(True))
            hub.until(lambda: sent)
            if end == "kill":
                kill(handler_of("c"))
            elif end == "half close":
                c.half_close()
            else:
                c.hang_up()
            hub.until(lambda: watcher.news().count("c has left") ==
                      watcher.news().count("c has connected"))
            assert stored() == [], end
        hub.until(lambda: c.closed)
        d = hub.join("d")
        told(hub, d, OK, d.sendfile("cut", b"whole"))
        is_there(hub, watcher, "cut", b"whole")


# --- names ---------------------------------------------------------------------

GOOD = ["a", "a b", "100%", "%2e%2e%2f", "a#b?c&d=e", "<b>\"\\", "-rf *",
        "чай.txt", "a€🍵", "~", "a..", "x" * 255, "€" * 85, "%" * 255,
        "C:\\x", "'; --", "$(id)"]
BAD = ["", ".", "..", "../x", "/etc/passwd", "a/b", "/", "a/", "./a", ".a",
       "x" * 256, "€" * 85 + "x", "a" * 65535, "a\0b", "\0", "a\n", "\r",
       "\x1b[2J", "\x7f", "\x85", "\x9f", b"\xff", b"a\xc3", b"\xc0\xaf",
       b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"]


def names():
    """What can be a file's name works on all doors; the rest goes nowhere."""
    with Server("hchat") as s:
        hub = s.hub
        a, b = hub.join("a", "b")
        hub.agree()
        for i, name in enumerate(GOOD):
            up = a.sendfile(name, b"contents %d" % i)
            hub.until(done(up), lambda: a)
            assert up.code == OK, (name, up.text)
        outside = sorted(os.listdir(STATE))
        for name in BAD:
            told(hub, a, FILE, a.sendfile(name, b"contents" * 1000))
            told(hub, a, NO_FILE, a.getfile(name))
        told(hub, a, NO_FILE, a.getfile("absent"))
        assert stored() == sorted(GOOD)
        assert sorted(os.listdir(STATE)) == outside
        for i, name in enumerate(GOOD):
            is_there(hub, b, name, b"contents %d" % i)
            with urllib.request.urlopen(
                    "http://127.0.0.1:%d/files/%s" % (
                        s.port("hchat"), urllib.parse.quote(name, safe="")),
                    timeout=20) as got:
                assert got.read() == b"contents %d" % i
        all_heard(hub, a, b)
        assert [said for said in b.said() if FNOTIFY in said] == [
            ("a", FNOTIFY, name) for name in GOOD]


def planted():
    """What somebody put into the folder is not followed, nor replaced."""
    os.makedirs(FILES)
    secret = STATE + "/secret"
    with open(secret, "w") as file:
        file.write("secret")
    os.symlink(secret, FILES + "link")
    os.symlink(STATE + "/made", FILES + "dangling")
    os.symlink("..", FILES + "up")
    os.mkdir(FILES + "folder")
    os.mkfifo(FILES + "fifo")
    with Server() as s:
        hub = s.hub
        a, b = hub.join("a", "b")
        hub.agree()
        for name in "link", "dangling", "up", "folder", "fifo":
            told(hub, a, FILE, a.sendfile(name, b"mine"))
            told(hub, a, NO_FILE, a.getfile(name))
        told(hub, a, FILE, a.sendfile("up/secret", b"mine"))
        told(hub, a, NO_FILE, a.getfile("up/secret"))
        with open(secret) as file:
            assert file.read() == "secret"
        assert not os.path.exists(STATE + "/made")
        hub.fence(b)
        assert not [said for said in b.said() if FNOTIFY in said]


def one_name():
    """Of those who upload one name at once one wins; the rest are told."""
    with Server() as s:
        hub = s.hub
        clients = hub.join(*[f"c{i}" for i in range(6)])
        hub.agree()
        data = [bytes([48 + i]) * 300000 for i in range(6)]
        ups = [c.sendfile("tea", d[:1000], size=len(d))
               for c, d in zip(clients, data)]
        # All of them have begun.
        sent = []
        for c in clients:
            c.write(lambda: sent.append(True))
        hub.until(lambda: len(sent) == 6)
        for c, d in zip(clients, data):
            c.write(d[1000:])
        hub.until(done(*ups))
        codes = sorted(up.code for up in ups)
        assert codes == [OK] + [FILE] * 5, codes
        winner = next(i for i, up in enumerate(ups) if up.code == OK)
        is_there(hub, clients[0], "tea", data[winner])
        # And later, too.
        told(hub, clients[1], FILE, clients[1].sendfile("tea", b"mine"))
        is_there(hub, clients[1], "tea", data[winner])
        all_heard(hub, *clients)
        assert sum(bool(record.file) for record in lobby()) == 1


# --- what may happen meanwhile ---------------------------------------------------

def replaced():
    """A download goes on with the file it began with, whole."""
    old, new = os.urandom(MIB) * 24, b"new"
    with Server() as s:
        hub = s.hub
        a, = [hub.join("a", rcvbuf=16384)]
        b = hub.join("b")
        hub.agree()
        told(hub, b, OK, b.sendfile("tea", old))
        a.stop_reading()
        got = a.getfile("tea")
        hub.fence(b, among=[])
        a.stop_reading(False)
        hub.until(lambda: a.file)
        with open(STATE + "/new", "wb") as file:
            file.write(new)
        os.rename(STATE + "/new", FILES + "tea")
        hub.until(done(got))
        assert (got.size, got.digest) == (len(old), digest(old))
        is_there(hub, a, "tea", new)
        os.unlink(FILES + "tea")
        told(hub, a, NO_FILE, a.getfile("tea"))


def truncated():
    """A file that gets shorter while it goes out ends the connection: what is
    missing cannot be made up."""
    with Server() as s:
        hub = s.hub
        a, b = hub.join("a", rcvbuf=16384), hub.join("b")
        hub.agree()
        told(hub, b, OK, b.sendfile("tea", b"x" * 24 * MIB))
        a.getfile("tea")
        hub.until(lambda: a.file)
        os.truncate(FILES + "tea", 0)
        hub.until(lambda: a.closed)
        hub.until(lambda: "a has left" in b.news())
        assert not b.closed


def full():
    """A disk that fills up in the middle: told, and the space is back."""
    small = os.environ["SMALL"]
    with Server(FILES=small, MIN_FREE=0) as s:
        hub = s.hub
        a, b = hub.join("a", "b")
        hub.agree()
        told(hub, a, STORAGE, a.sendfile("large", b"x" * 40 * MIB))
        up = a.sendfile("tea", b"x" * MIB, size=6 * MIB)
        sent = []
        a.write(lambda: sent.append(True))
        hub.until(lambda: sent)
        fs = os.statvfs(small)
        with open(small + "/fill", "wb") as fill:
            try:
                fill.write(bytes(fs.f_bavail * fs.f_frsize))
            except OSError:
                pass
        a.write(b"x" * 5 * MIB)
        told(hub, a, STORAGE, up)
        assert os.listdir(small) == ["fill"]
        os.unlink(small + "/fill")
        assert used(small) == 0, used(small)
        told(hub, a, OK, a.sendfile("tea", b"x" * 6 * MIB))
        all_heard(hub, a, b)
        assert b.said().count(("a", FNOTIFY, "tea")) == 1


def min_free():
    """Below PARLANCE_MIN_FREE nothing is taken, and others' words are."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as small, \
            Server(FILES=small, MIN_FREE="1024G") as s:  # never as large
        hub = s.hub
        a, b = hub.join("a", "b")
        hub.agree()
        told(hub, a, STORAGE, a.sendfile("tea", b"x" * 100000))
        told(hub, a, STORAGE, a.sendfile("tea", b""))
        hub.fence(b)
        assert os.listdir(small) == []


def unannounced():
    """Where the record cannot be written, the file goes again."""
    with Server() as s:
        hub = s.hub
        a, b = hub.join("a", "b")
        hub.agree()
        hub.fence(a)
        open(RUN + "/failed/lobby", "w").close()
        up = a.sendfile("tea", b"x" * 100000)
        hub.until(done(up))
        assert up.code == STORAGE, (up.code, up.text)
        assert stored() == []
        os.unlink(RUN + "/failed/lobby")
        told(hub, a, OK, a.sendfile("tea", b"x" * 100000))
        all_heard(hub, a, b)


def pipelined():
    """Files and words one behind the other in one piece are served in turn."""
    with Server() as s:
        hub = s.hub
        a, b = hub.join("a", "b")
        hub.agree()
        asked = []
        for i in range(30):
            asked += [a.sendfile(f"f{i}", bytes([i]) * (i * 997)),
                      a.send(f"behind {i}"), a.getfile(f"f{i}"),
                      a.sendfile(f"f{i}", b"again"), a.getfile(f"../f{i}")]
        hub.until(done(*asked), lambda: a)
        for i in range(30):
            up, said, got, again, wrong = asked[5 * i:5 * i + 5]
            codes = [x.code for x in (up, said, got, again, wrong)]
            assert codes == [OK, OK, OK, FILE, NO_FILE], (i, codes)
            assert got.digest == digest(bytes([i]) * (i * 997))
        # However the bytes come.
        data = frame(SENDFILE, "drip", 40) + b"0123456789" * 4
        up = a.expect(SENDFILE)
        a.write(iter([data[i:i + 1] for i in range(len(data))]))
        told(hub, a, OK, up)
        is_there(hub, b, "drip", b"0123456789" * 4)
        all_heard(hub, a, b)


if __name__ == "__main__":
    main(globals())
