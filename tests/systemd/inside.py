#!/usr/bin/env python3
"""Checks of a running parlance, at its usual addresses on this machine.

inside.py doors			each door by itself, and one through another
inside.py crowd N SECONDS	N requests to the web door, begun within that
				time; prints how many were answered
inside.py hold N ANSWERED	N conversations with the text door at once, of
				which so many are answered before any ends;
				prints how many were answered, reset, left
				waiting, and of these, answered once the others
				had left
inside.py garbage N		N connections to the binary door that break
				the protocol
inside.py tls FROM PORT LINE...	lines to what speaks TLS there, from an address
				of ours; prints the answer to each
"""
import http.client
import os
import select
import socket
import ssl
import subprocess
import sys
import time

CHATFILE, HCHAT, BCS, TOYCHAT = 8080, 1234, 4000, 8888
LOCAL = "/run/parlance/toychat.sock"
PATIENCE = 15


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True,
                          timeout=PATIENCE, **more).stdout


def curl(*arguments):
    return run("curl", "-sS", "--fail", "-m", str(PATIENCE), *arguments)


def web(method, path, body=None, headers=None, timeout=PATIENCE):
    c = http.client.HTTPConnection("127.0.0.1", HCHAT, timeout=timeout)
    try:
        c.request(method, path, body, headers or {})
        answer = c.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        c.close()


# --- each door ---------------------------------------------------------------

class Text:
    """A conversation with the text door."""

    def __init__(self, address=("127.0.0.1", TOYCHAT)):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, PATIENCE)
        self.file = self.socket.makefile("rb")

    def ask(self, command):
        self.socket.sendall(command.encode() + b"\r\n")
        line = self.file.readline()
        if not line:
            raise ConnectionResetError
        return line.decode().rstrip("\r\n")

    def close(self):
        self.file.close()
        self.socket.close()


def check_text():
    for address in ("127.0.0.1", TOYCHAT), ("::1", TOYCHAT), LOCAL:
        t = Text(address)
        assert t.ask("login alice nonsense") == \
            "error invalid username or password"
        assert t.ask("login alice secret") == "success"
        assert t.ask("send bob hello") == "success"
        t.close()
    b = Text()
    assert b.ask("login bob secret") == "success"
    assert b.ask("recv alice").endswith("hello")
    b.close()
    out = run("toychat", input="login bob secret\nrecv alice\n")
    assert "hello" in out, out


def check_file():
    room = "http://%s:%d/rooms/tea.txt"
    for host in "127.0.0.1", "[::1]":
        at = room % (host, CHATFILE)
        footer = curl("-gu", "alice:secret", "--data-binary", "Tea, anyone?",
                      at)
        assert "\\alice @ " in footer, footer
        assert "Tea, anyone?\n" in curl("-gu", "bob:secret", at)
    code = run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
               "-u", "alice:wrong", at, "-g")
    assert code == "401", code


def check_web():
    assert web("GET", "/healthz")[0] == 200
    made = web("GET", "/chat_create?subject=Units&listed=1")
    room = made[1]["Location"][len("/chat/"):]
    assert web("GET", "/chat/" + room)[0] == 200
    stream = socket.create_connection(("::1", HCHAT), PATIENCE)
    stream.sendall(("GET /events/%s?from=1 HTTP/1.1\r\nHost: x\r\n\r\n" %
                    room).encode())
    sent = web("POST", "/send/" + room, "live from gallery")
    assert sent[0] == 200, sent
    seen = b""
    while b"live from gallery" not in seen:
        more = stream.recv(65536)
        assert more, seen
        seen += more
    stream.close()
    assert web("GET", "/msg/%s/1" % room)[2] == b"live from gallery"
    assert run("systemctl", "is-active", "parlance-gallery.service")


def check_binary():
    def client(name):
        return subprocess.Popen(
            ["bcs_client.py", "-h", "127.0.0.1", "-p", str(BCS), "-u", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ann = client("ann")
    assert "server: " in ann.stdout.readline()
    ben = client("ben")
    assert "ann" in ben.stdout.readline()
    assert "ben has connected" in ann.stdout.readline()
    ben.stdin.write("who is there?\n")
    ben.stdin.flush()
    assert ann.stdout.readline() == "ben: who is there?\n"
    with open("/tmp/units-list", "w") as f:
        f.write("milk\n")
    ben.stdin.write("/send /tmp/units-list\n")
    ben.stdin.close()
    assert "units-list" in ann.stdout.readline()
    assert ben.wait(PATIENCE) == 0
    ann.stdin.close()
    assert ann.wait(PATIENCE) == 0
    os.unlink("/tmp/units-list")


def check_across():
    """The lobby is one conversation, whatever the door."""
    assert "milk" == web("GET", "/files/units-list")[2].decode().strip()
    lobby = curl("-u", "alice:secret",
                 "http://127.0.0.1:%d/rooms/lobby.txt" % CHATFILE)
    assert "who is there?\n\\~ben @ " in lobby, lobby
    run("parlance", "room", "say", "-u", "alice", "lobby", "from root")
    t = Text()
    assert t.ask("login bob secret") == "success"
    assert t.ask("send * to all") == "success"
    t.close()
    transcript = web("GET", "/chat/lobby.txt")[2].decode()
    assert "from root\n\\alice @ " in transcript, transcript
    assert "to all\n\\bob @ " in transcript, transcript


def doors():
    for name in "alice", "bob":
        subprocess.run(["parlance", "user", "add", name], input="secret\n",
                       text=True, capture_output=True, check=False)
    check_text()
    check_file()
    check_web()
    # An upload's name is never given twice.
    if web("GET", "/files/units-list")[0] == 404:
        check_binary()
    check_across()


# --- crowds ------------------------------------------------------------------

def crowd(count, seconds):
    waiting = {}
    answered = 0
    begin = time.monotonic()
    for i in range(count):
        time.sleep(max(0, begin + seconds * i / count - time.monotonic()))
        s = socket.create_connection(("127.0.0.1", HCHAT), PATIENCE)
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
                  b"Connection: close\r\n\r\n")
        waiting[s] = b""
    until = time.monotonic() + 4 * PATIENCE
    while waiting and time.monotonic() < until:
        for s in select.select(list(waiting), [], [], 1)[0]:
            try:
                more = s.recv(65536)
            except ConnectionResetError:
                more = b""
            waiting[s] += more
            if not more:
                answered += waiting.pop(s).startswith(b"HTTP/1.1 200")
                s.close()
    print("answered", answered)


def hold(count, most):
    conversations = []
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", TOYCHAT), PATIENCE)
        try:
            s.sendall(b"nonsense\r\n")
        except (ConnectionResetError, BrokenPipeError):
            pass
        conversations.append(s)
    answered, reset, quiet = [], [], list(conversations)
    # Those who wait: nothing happens any more.
    while quiet:
        ready = select.select(
            quiet, [], [], PATIENCE if len(answered) < most else 0.5)[0]
        if not ready:
            break
        for s in ready:
            quiet.remove(s)
            try:
                got = s.recv(100)
            except ConnectionResetError:
                got = b""
            (answered if got.startswith(b"error") else reset).append(s)
    for s in answered:
        s.close()
    late = 0
    for s in quiet:
        try:
            late += s.recv(100).startswith(b"error")
        except OSError:
            pass
        s.close()
    print("answered %d reset %d waited %d then %d" %
          (len(answered), len(reset), len(quiet), late))


def garbage(count):
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", BCS), PATIENCE)
        try:
            s.sendall(b"\xff\xff nonsense")
            while s.recv(1000):
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass
        s.close()


def tls(source, port, *lines):
    # pylint: disable=protected-access
    context = ssl._create_unverified_context()
    plain = socket.create_connection(("127.0.0.1", int(port)), PATIENCE,
                                     (source, 0))
    with context.wrap_socket(plain) as s, s.makefile("rb") as answers:
        for line in lines:
            s.sendall(line.encode() + b"\r\n")
            print(answers.readline().decode().rstrip())


def main():
    what, *rest = sys.argv[1:]
    if what == "doors":
        doors()
    elif what == "crowd":
        crowd(int(rest[0]), float(rest[1]))
    elif what == "hold":
        hold(*map(int, rest))
    elif what == "garbage":
        garbage(int(rest[0]))
    elif what == "tls":
        tls(*rest)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
