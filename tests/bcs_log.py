#!/usr/bin/env python3
"""What bcs_server -l LOG tells of a conversation (specs/bcs.txt, Server): each
function is a scenario. Uses what bcs_host.py uses.
"""
import os
import re
import signal
import socket
import subprocess

from bcs import PATIENCE, Client, Hub
from bcs_host import Server, handler_of, kill
from helper_process import BUILD, SCALE, HelperProcess, main, wait_until

HOME = os.environ["HOME"]
LOG = HOME + "/chat of today.log"
LONGEST = 65535
TIME = r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
PEER = r"peer=127\.0\.0\.1:\d+"
LINE = re.compile(
    rf"{TIME} event=(register|message|disconnect)( user=(\w+))? ({PEER})"
    r"( pid=\d+)?( signal=\d+)?( text=\"(([^\"\\]|\\.)*)\")?")


class LogServer(Server):
    """bcs_server. Ends with `with`, as a Server does."""

    def __init__(self, *arguments, stdout=None, address="127.0.0.1",
                 **settings):
        self.hub = None
        settings = dict({"RATE": "0", "MIN_FREE": "1M"}, **settings)
        HelperProcess.__init__(
            self, BUILD + "/bin/bcs_server", "-a", address, "-p", "0",
            *arguments, stdout=stdout or subprocess.DEVNULL, cwd=HOME,
            env={f"PARLANCE_{k}": str(v) for k, v in settings.items()})
        self.logged("socket=fanout.sock")
        self.hub = Hub(self.port("bcs"))


def read(path=LOG):
    with open(path, "rb") as file:
        return file.read().decode()


def lines(path=LOG):
    """Of the log: every one is whole."""
    text = read(path)
    assert not text or text.endswith("\n"), text[-200:]
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found), [
        line[:300] for line, ok in zip(text.splitlines(), found) if not ok]
    return found


def events(path=LOG):
    """(event, user) of each line."""
    return [(line[1], line[3]) for line in lines(path)]


def until_logged(event, user):
    """Of a log that grows meanwhile, a part of the last line may be seen."""
    wait_until(lambda: re.search(f"event={event} user={user} .*\n", read()))


def told(server, event):
    with server.news:
        return [line for line in server.log if f"event={event} " in line]


def address(client):
    return "%s:%d" % client.sock.getsockname()[:2]


def lines_of_a_talk():
    """Byte for byte, after what stood there."""
    with open(LOG, "w", encoding="ascii") as file:
        file.write("what was there\n")
    with LogServer("-l", os.path.basename(LOG), stdout=subprocess.PIPE) as s:
        hub = s.hub
        ann, ben = hub.join("ann"), hub.join("ben")
        peers = {"ANN": address(ann), "BEN": address(ben)}
        pids = {"PA": handler_of("ann"), "PB": handler_of("ben")}
        for by, text in ((ann, "hi"), (ben, 'a "b" \\\n\tc=d'),
                         (ann, "na\u00efve \u4e2d \u202e")):
            asked = by.send(text)
            hub.until(lambda: asked.done)
        hub.leave(ann)
        until_logged("disconnect", "ann")
        hub.leave(ben)
        until_logged("disconnect", "ben")
    assert s.process.stdout.read() == ""
    expected = r"""what was there
T event=register user=ann peer=ANN pid=PA
T event=register user=ben peer=BEN pid=PB
T event=message user=ann peer=ANN text="hi"
T event=message user=ben peer=BEN text="a \"b\" \\\n\x09c=d"
T event=message user=ann peer=ANN text="naïve 中 \xe2\x80\xae"
T event=disconnect user=ann peer=ANN pid=PA
T event=disconnect user=ben peer=BEN pid=PB
"""
    for name, value in {**peers, **pids}.items():
        expected = re.sub(rf"\b{name}\b", str(value), expected)
    got = re.sub(f"^{TIME} ", "T ", read(), flags=re.M)
    assert got == expected, (got, expected)


def no_other_lines():
    """Who does not register leaves no line, nor does what was refused."""
    with LogServer("-l", LOG) as s:
        hub = s.hub
        ann = hub.join("ann")
        namesake, nobody = hub.come("ann", "no name")
        silent = hub.dial("silent")
        hub.until(lambda: namesake.closed and nobody.closed)
        hub.leave(silent)
        refused = ann.send("")
        hub.until(lambda: refused.done)
        assert refused.code == 3
        hub.leave(ann)
        until_logged("disconnect", "ann")
    assert events() == [("register", "ann"), ("disconnect", "ann")], events()


def standard_output():
    """It holds these lines, and stderr all else."""
    out = HOME + "/out"
    with open(out, "w", encoding="ascii") as stdout:
        with LogServer(stdout=stdout) as s:
            ann = s.hub.join("ann")
            asked = ann.send("hello")
            s.hub.until(lambda: asked.done)
            kill(handler_of("ann"))
            s.logged("event=exit door=bcs")
    assert events(out) == [("register", "ann"), ("message", "ann"),
                           ("disconnect", None)], read(out)
    assert "hello" not in "".join(s.log), s.log


def longest():
    """A message of 65,535 bytes has one line, and that is whole."""
    texts = ["x" * LONGEST, "\n" * LONGEST, "\t" * (LONGEST - 1) + "x"]
    with LogServer("-l", LOG) as s:
        hub = s.hub
        ann, ben = hub.join("ann", "ben")
        ann.talk(texts)
        hub.until(lambda: ben.texts() == texts)
        hub.leave(ann, ben)
        until_logged("disconnect", "ann")
        until_logged("disconnect", "ben")
    got = [line[8] for line in lines() if line[1] == "message"]
    assert got == [texts[0], texts[1].replace("\n", r"\n"),
                   texts[2].replace("\t", r"\x09")]


def many():
    """Lines of many clients at once are whole, and all there."""
    names = [f"c{i}" for i in range(12)]
    with LogServer("-l", LOG) as s:
        hub = s.hub
        clients = hub.join(*names)
        texts = {c: [f"{c.name}.{i}." + c.name[-1] * (i * 1777 % 50000)
                     for i in range(5 * SCALE)] for c in clients}
        for c in clients:
            c.talk(texts[c])
        hub.until(lambda: all(
            len(c.texts()) == 5 * SCALE * (len(clients) - 1)
            for c in clients), patience=PATIENCE * SCALE)
        hub.leave(*clients)
        for name in names:
            until_logged("disconnect", name)
    found = lines()
    for c in clients:
        said = [x[8] for x in found if x[1] == "message" and x[3] == c.name]
        assert said == texts[c], (c, len(said))
        assert events().count(("register", c.name)) == 1


def killed():
    """A killed handler's disconnect is told once, by its peer."""
    with LogServer("-l", LOG) as s:
        hub = s.hub
        ann, ben = hub.join("ann", "ben")
        pid, peer = handler_of("ann"), address(ann)
        kill(pid)
        hub.until(lambda: ben.here == set())
        wait_until(lambda: f"peer={peer} pid={pid} signal=9\n" in read())
        again = hub.join("ann")
        hub.leave(again, ben)
        until_logged("disconnect", "ann")
        until_logged("disconnect", "ben")
    by_peer = [line[1] for line in lines() if line[4] == f"peer={peer}"]
    assert by_peer == ["register", "disconnect"], by_peer


def drained():
    """Those who are there when it ends have their disconnects."""
    with LogServer("-l", LOG) as s:
        ann, ben = s.hub.join("ann", "ben")
        s.send(signal.SIGTERM)
        s.hub.closing = True
        s.hub.until(lambda: ann.closed and ben.closed)
        s.process.wait(PATIENCE)
    assert sorted(events()[2:]) == [
        ("disconnect", "ann"), ("disconnect", "ben")], events()


def full_disk():
    """The conversation goes on, stderr tells, and no line is half there."""
    small = HOME + "/small"
    log = small + "/log"
    with LogServer("-l", log) as s:
        hub = s.hub
        ann, ben = hub.join("ann", "ben")
        for i in range(40):
            asked = ann.send(f"{i} " + "x" * 60000)
            hub.until(lambda: asked.done)
            assert asked.code == 0
        s.logged('error="No space left on device"')
        hub.until(lambda: len(ben.texts()) == 40)
        lines(log)
        os.truncate(log, 0)
        asked = ben.send("there is room again")
        hub.until(lambda: asked.done)
        hub.leave(ann, ben)
        wait_until(lambda: read(log).count("\n") == 3)
    assert lines(log)[0][8] == "there is room again"


def nobody_reads():
    """A pipe as standard output that nobody reads holds no conversation up."""
    with LogServer(stdout=subprocess.PIPE) as s:
        hub = s.hub
        ann, ben = hub.join("ann", "ben")
        for i in range(20):
            asked = ann.send(f"{i} " + "x" * 60000)
            hub.until(lambda: asked.done)
            assert asked.code == 0
        hub.until(lambda: len(ben.texts()) == 20)
        s.logged('error="Connection timed out"')


def ipv6():
    with LogServer("-l", LOG, address="::1") as s:
        sock = socket.create_connection(("::1", s.port("bcs")))
        ann = Client(s.hub, sock, "ann")
        ann.register()
        s.hub.until(lambda: ann.welcome)
        port = sock.getsockname()[1]
        s.hub.leave(ann)
        wait_until(lambda: "event=disconnect" in read())
    assert read().count(f" user=ann peer=[::1]:{port} ") == 2 or \
        read().count(f' user=ann peer="[::1]:{port}" ') == 2, read()


if __name__ == "__main__":
    main(globals())
