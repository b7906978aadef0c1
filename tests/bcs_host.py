"""What tests of the bcs door run and look at: a server, its processes, the
lobby's file (design 4), the folder of those present (design 6).

Uses what helper_process.py uses, and STATE_DIRECTORY.
"""
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.parse

from bcs import FNOTIFY, PATIENCE, Client, Hub
from helper_process import BUILD, RUN, HelperProcess, children, wait_until

STATE = os.environ["STATE_DIRECTORY"]
LOBBY = STATE + "/rooms/lobby.txt"

# So that who is told to end ends what it started, too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))


class Server(HelperProcess):
    """serve with its helpers; a hub for its clients. Ends with `with`."""

    def __init__(self, *doors, fanout=True, **settings):
        self.hub = None
        doors = [f"{door}=127.0.0.1:0" for door in ("bcs", *doors)]
        super().__init__(BUILD + "/helpers/serve", *doors, env=dict(
            {"PARLANCE_RATE": "0", "PARLANCE_MIN_FREE": "1M",
             "PARLANCE_CONNECTIONS": "2000"},
            **{f"PARLANCE_{k}": str(v) for k, v in settings.items()}))
        if fanout:
            self.logged("socket=fanout.sock")
        self.hub = Hub(self.port("bcs"))

    def __enter__(self):
        return self

    def __exit__(self, failed, _, __):
        family = self.handlers() + self.helpers()
        self.hub.close()
        self.send(signal.SIGKILL if failed else signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        if failed:
            for pid in family:
                kill(pid)
            print("".join(self.log[-20:]))
            return
        assert status == 0, status
        died = [line for line in self.log if "event=exit" in line and
                "signal=9" not in line]
        assert not died, died

    def port(self, door):
        with self.news:
            for line in self.log:
                found = re.search(
                    rf"event=listening door={door} address=.*:(\d+)$", line)
                if found:
                    return int(found[1])
        raise LookupError(door)

    def run_by_us(self, names):
        found = []
        for pid in pids_below(self.pid):
            try:
                with open(f"/proc/{pid}/comm") as comm:
                    if comm.read().strip() in names:
                        found.append(pid)
            except OSError:
                pass
        return found

    def handlers(self):
        return self.run_by_us(["bcs"])

    def helpers(self):
        return self.run_by_us(["fanout", "gallery"])

    def kill_fanout(self):
        """Serve starts another. Its pid, once there is one to kill."""
        found = []

        def there():
            found[:] = self.run_by_us(["fanout"])
            return found
        self.hub.until(there)
        kill(found[0])
        return found[0]

    def fanouts(self):
        with self.news:
            return sum("socket=fanout.sock" in line for line in self.log)


def pids_below(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(p) for p in file.read().split()]
    except OSError:
        return []


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def handler_of(name):
    """The pid that holds this name, which must be its own key."""
    with open(f"{RUN}/present/{name}") as file:
        return int(file.read().split()[1])


def by_hand(hub, name=None, env=None, **how):
    """A client of a handler that nobody serves, at a socket pair."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [BUILD + "/handlers/bcs"], stdin=theirs, stdout=theirs,
        env=dict(os.environ, **(env or {})))
    children.append(process)
    theirs.close()
    client = Client(hub, ours, name, **how)
    client.process = process
    return client


class FanoutAway:
    """As long as this is held, no fanout runs. Kill the one there is after."""

    def __init__(self):
        os.makedirs(RUN, mode=0o711, exist_ok=True)
        self.file = os.open(
            RUN + "/fanout.lock", os.O_RDWR | os.O_CREAT, 0o600)
        self.held = threading.Event()
        threading.Thread(target=self.take, daemon=True).start()
        wait_until(lambda: self.held.is_set() or self.in_line())

    def in_line(self):
        inode = ":%d " % os.fstat(self.file).st_ino
        with open("/proc/locks") as locks:
            return any("->" in line and inode in line for line in locks)

    def take(self):
        fcntl.flock(self.file, fcntl.LOCK_EX)
        self.held.set()

    def over(self):
        assert self.held.is_set()
        os.close(self.file)


class Pretender:
    """Somebody present who is no process of the host, only a lock."""

    def __init__(self, name):
        self.path = f"{RUN}/present/{name}"
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, whole)
        os.write(self.fd, f"{name} {os.getpid()} nowhere\n".encode())

    def leave(self):
        os.close(self.fd)


# --- the lobby ---------------------------------------------------------------

class Record:
    def __init__(self, body, footer):
        lines = [line[1:] if line.startswith("\\") else line
                 for line in body.split("\n")[:-1]]
        self.text = "\n".join(lines)
        self.author, _, self.time, self.door, *keys = footer[1:].split(" ")
        keys = dict(key.split("=", 1) for key in keys)
        self.file = urllib.parse.unquote(keys.get("file", ""))

    def shown(self):
        """As who hears it is to see it, see Client.said()."""
        author = self.author
        if self.door == "bcs":
            author = author.removeprefix("~")
        if self.file:
            return author, FNOTIFY, self.file
        return author, self.text


def lobby():
    """All records of the lobby. Nothing locks it: one that is being written
    may be there in part, for a moment."""
    for _ in range(10):
        found, rest = records()
        if not rest:
            break
    assert rest == "", rest
    return found


def records():
    """What is in the lobby's file, and what no footer ends."""
    try:
        with open(LOBBY, newline="", encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return [], ""
    found, body = [], ""
    for line in text.split("\n")[:-1]:
        if re.match(r"\\(?!\\)", line):
            found.append(Record(body, line))
            body = ""
        else:
            body += line + "\n"
    return found, body


def heard_all(clients, since=0):
    """Each heard exactly what others said since, in the lobby's order. Who
    raised the last fence may still be about to hear what came before it."""
    shown = [record.shown() for record in lobby()[since:]]
    for c in clients:
        wanted = [said for said in shown if said[0] != c.name]
        if not c.closed:
            c.hub.until(lambda: c.closed or len(c.said()) >= len(wanted))
        assert c.said() == wanted, (c, difference(c.said(), wanted))


def difference(heard, wanted):
    """Where they differ first, what was never heard, what not to be heard."""
    same = next((i for i, (h, w) in enumerate(zip(heard, wanted)) if h != w),
                min(len(heard), len(wanted)))
    return (same, heard[same:same + 3], wanted[same:same + 3],
            "missing", sorted(set(map(str, wanted)) - set(map(str, heard))),
            "too many", sorted(set(map(str, heard)) - set(map(str, wanted))),
            len(heard), len(wanted))


def heard_some(clients):
    """Each heard a part of the lobby without gaps, less its own words."""
    shown = [record.shown() for record in lobby()]
    for c in clients:
        said = c.said()
        wanted = [s for s in shown if s[0] != c.name]
        at = wanted.index(said[0]) if said else 0
        assert wanted[at:at + len(said)] == said, (
            c, difference(said, wanted[at:]))
