#!/usr/bin/env python3
"""tests/bcs_live.py SCENARIO: what tests/bcs-live.bats has happen at the door.

Uses BUILD, STATE_DIRECTORY, RUNTIME_DIRECTORY and TEST_SCALE. Every process is
a child that is ended on the way out. Fails by an exception.
"""
import hashlib
import os
import random
import resource
import signal
import time

from bcs import (
    FNOTIFY, OK, REGISTER, SEND, Hub, Pulse, after, at_once, at_random, frame, never)
from bcs_host import (
    STATE, FanoutAway, Pretender, Server, by_hand, handler_of, heard_all,
    heard_some, kill, lobby)
from helper_process import PATIENCE, SCALE, main


def names(count, base="guest"):
    return [f"{base}{i}" for i in range(count)]


def closed(*clients):
    return lambda: all(c.closed for c in clients)


def alive(*clients):
    for c in clients:
        assert not c.closed and not c.goodbye, c


# --- who is there --------------------------------------------------------------

def unique():
    """One name, one client; refused ones are told why and announced to none."""
    with Server() as s:
        hub = s.hub
        alice, bob = hub.join("alice", "bob")
        hub.agree()
        for name in "alice", "ALICE", "Bob", "server", "guest", "", "a b":
            c = hub.dial(name)
            asked = c.register()
            hub.until(closed(c))
            assert asked.code == 2 and asked.text, (name, asked.code)
            assert c.heard == []
        # Of many who want a name at once one gets it.
        for turn in range(3 * SCALE):
            many = hub.come(*[f"wanted{turn}"] * 20)
            hub.until(lambda: sum(bool(c.closed) for c in many) == 19)
            winner = [c for c in many if not c.closed]
            hub.until(lambda: winner[0].welcome)
            hub.agree()
            hub.leave(*winner)
            hub.agree()
        # Free again with its holder's end.
        hub.leave(alice)
        hub.agree()
        hub.join("aLICE")
        hub.agree()
        hub.fence(bob)
        news = [n for n in bob.news() if "wanted" not in n]
        assert news[-2:] == ["alice has left", "aLICE has connected"], news


def announced():
    """Comings and goings reach exactly the others."""
    rng = random.Random(5)
    with Server() as s:
        hub = s.hub
        first, second = hub.join("first"), hub.join("second")
        count, here = 60 * SCALE, []
        for i in range(count):
            here += hub.come(f"n{i}", ack=at_random(i, 0.03))
            if rng.random() < 0.5:
                # Perhaps before it was even welcome.
                c = here.pop(rng.randrange(len(here)))
                rng.choice([c.hang_up, c.half_close])()
            if rng.random() < 0.3:
                hub.until(lambda: all(c.welcome for c in here))
                hub.agree()
        hub.until(lambda: all(c.welcome for c in here))
        hub.agree()
        hub.fence(first)
        for c in first, second:
            came = [n for n in c.news() if n.endswith(" has connected")]
            assert len(set(came)) == len(came)
            for i in here:
                assert f"{i.name} has connected" in came, i
        left = [n for n in second.news() if n.endswith(" has left")]
        assert len(came) - len(left) == len(here), (len(came), len(left))


def roster():
    """A newcomer is told all names, also of a thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = 100 * SCALE
    with Server() as s:
        hub = s.hub
        many = []
        for at in range(0, count, 50):
            many += hub.join(*names(count)[at:at + 50])
        # Half a million deliveries, of 1,000.
        hub.agree(PATIENCE * SCALE)
        last = hub.join("last")
        assert last.here == set(names(count))
        hub.agree()
        hub.fence(last)
        hub.leave(*many[:count // 2])
        hub.agree(PATIENCE * SCALE)


def long_roster():
    """Names of 120 bytes each: the roster takes more than one deliver."""
    with Server() as s:
        hub = s.hub
        watcher = hub.join("watcher")
        long = ["\U00010000" * 27 + f"{i:03d}" for i in range(1000)]
        pretenders = [Pretender(name) for name in long]
        hub.until(lambda: len(watcher.here) == 1000)
        new = hub.join("new")
        hub.until(lambda: len(new.here) == 1001)
        parts = [h.text for h in new.heard if h.text.startswith("Also here: ")]
        assert 2 <= len(parts) <= 3, len(parts)
        assert all(len(p.encode()) <= 65535 for p in parts)
        hub.fence(new)
        for p in pretenders:
            p.leave()
        hub.agree()


def lagging():
    """Who hears nothing while hundreds come and go knows in the end who is
    there."""
    with Server(BCS_ACK_TIMEOUT=600) as s:
        hub = s.hub
        a, slow = hub.join("a", "slow")
        hub.agree()
        hub.fence(a)
        slow.ack = never
        hub.fence(a, among=[])
        hub.until(lambda: slow.unacked)
        came = []
        for at in range(0, 300, 30):
            came += [Pretender(f"p{i}") for i in range(at, at + 30)]
            hub.until(lambda: len(a.here) == at + 31)
            hub.pass_time(0.25)  # so that what is told is heard, too
        for at in range(0, 150, 30):
            for p in came[at:at + 30]:
                p.leave()
            hub.until(lambda: len(a.here) == 271 - at)
            hub.pass_time(0.25)
        slow.ack = at_once
        slow.acknowledge()
        hub.until(lambda: slow.here ^ a.here == {"slow", "a"},
                  lambda: slow.here ^ a.here)
        hub.fence(a)
        for p in came[150:]:
            p.leave()
        hub.agree()
        hub.fence(slow)
        heard_all([a, slow])


def namesakes():
    """One after the other, with the same name: each is told from the last."""
    with Server() as s:
        hub = s.hub
        bob, eve = hub.join("bob", "eve", ack=at_random(1, 0.005))
        wanted = []
        for turn in range(10 * SCALE):
            alice = hub.join("alice")
            hub.until(lambda: "alice" in bob.here and "alice" in eve.here)
            before = len(lobby())
            a = alice.send(f"first of {turn}")
            b = bob.send(f"answer to {turn}")
            c = alice.send(f"last of {turn}")
            hub.until(lambda: a.done and b.done and c.done)
            hub.until(lambda: f"answer to {turn}" in alice.texts())
            heard_all([alice], before)
            hub.leave(alice)
            wanted += ["alice has connected", f"first of {turn}",
                       f"last of {turn}", "alice has left"]
            again = hub.come("alice")[0]
            hub.until(lambda: again.welcome or again.closed)
            if again.closed:  # its lock was not free yet
                continue
            # It hears nothing of what was said before.
            wanted += ["alice has connected", "alice has left"]
            hub.fence(bob)
            assert again.texts()[0].startswith("fence"), again.texts()
            hub.leave(again)
            hub.until(lambda: "alice" not in bob.here | eve.here)
        hub.agree()
        hub.fence(bob)
        heard = [h.text for h in eve.heard if h.author != "bob"]
        assert heard[-len(wanted):] == wanted, heard


# --- what is said --------------------------------------------------------------

def delivered():
    """To all others, to each in the same order, to nobody twice."""
    with Server() as s:
        hub = s.hub
        a, b, c = hub.join("a", "b", "c")
        texts = ["hello", "line\nline\n", "\\o/", "\\\\two\\", "\\a @ 2026-11-"
                 "20T14:03:07Z bcs", "ünï \U0001f600", " ", "\n", "\t.",
                 "x" * 65535, "\\" * 65535, "\\\n" * 32767, "server has left"]
        asked = [a.send(t) for t in texts] + [b.send(t) for t in texts]
        hub.until(lambda: all(x.done for x in asked))
        assert [x.code for x in asked] == [0] * len(asked), [
            (x.code, x.text) for x in asked]
        late = hub.join("late")
        hub.fence(a)
        assert c.texts()[:-1].count("hello") == 2
        heard_all([a, b, c])
        assert late.texts() == c.texts()[-1:]
        for bad in "", "\0", "\x1b[m", "\r", "a\r", b"\xff", "\x7f", "\x85":
            asked = a.send(bad)
            hub.until(lambda: asked.done)
            assert asked.code == 3, (bad, asked.code, asked.text)
        hub.fence(a)
        heard_all([a, b, c])


def one_at_a_time():
    """The server waits for the status, and serves who makes it wait."""
    with Server() as s:
        hub = s.hub
        a, b = hub.join("a", "b")
        c = hub.join("c")
        hub.agree()
        hub.until(lambda: not c.unacked)
        c.ack = never
        for i in range(20):
            hub.fence(a, among=[b])
        assert len(c.texts()) == 1, c.texts()
        asked = [c.send(f"mine {i}") for i in range(20)]
        hub.until(lambda: all(x.done and not x.code for x in asked))
        hub.until(lambda: "mine 19" in a.texts())
        assert len(c.texts()) == 1, c.texts()
        d = hub.join("d")
        c.sendfile("mine", b"12345")
        hub.until(lambda: "mine" in a.texts() and "mine" in b.texts())
        d.sendfile("yours", b"12345")
        got = c.getfile("mine")
        hub.until(lambda: got.done and "yours" in a.texts())
        assert len(c.heard) - len(c.texts()) == 1 and len(c.texts()) == 1
        # A status of any code says so; what none waits for counts for none.
        c.ack = lambda _: 0
        c.acknowledge(3)
        hub.fence(a)
        c.write(OK, OK, OK)
        hub.fence(c)
        c.ack = never
        before = len(c.texts())
        hub.fence(a, among=[b])
        hub.fence(b, among=[a])
        hub.fence(c)
        assert len(c.texts()) == before + 1
        c.ack = lambda _: 0
        c.acknowledge()
        hub.fence(a)
        hub.agree()
        heard_all([a, b, c])
        alive(a, b, c, d)


def crowd():
    """All say much at once, and acknowledge when they like."""
    each = 20 * SCALE
    with Server() as s:
        hub = s.hub
        many = [hub.join(name, ack=at_random(i, 0.02))
                for i, name in enumerate(names(50))]
        hub.agree()
        for c in many:
            c.talk(f"{c.name} says {i}" for i in range(each))
            c.sendfile(f"of {c.name}", b"." * 1000)
        wanted = 49 * (each + 1)
        hub.until(lambda: all(len(c.texts()) >= wanted for c in many),
                  lambda: [len(c.texts()) for c in many],
                  patience=60 * SCALE)
        assert len(lobby()) == 50 * (each + 1)
        heard_all(many)
        alive(*many)
        hub.agree()


def byte_by_byte():
    """However frames are cut into segments."""
    with Server() as s:
        hub = s.hub
        a = hub.join("a")
        b = hub.dial("b")
        b.expect(REGISTER)
        b.expect(SEND)
        b.write(drip(frame(REGISTER, "b") + frame(SEND, "hello"), 0.01))
        hub.until(lambda: a.texts() == ["hello"] and not b.asked)
        c = hub.join("c")
        asked = [c.send(f"one of many {i}") for i in range(500)]
        hub.until(lambda: all(x.done and not x.code for x in asked))
        hub.until(lambda: len(a.texts()) == 501 and len(b.texts()) == 500)
        heard_all([a, b])
        # What is not whole keeps nobody else waiting.
        c.ack = never
        c.write(frame(SEND, "half")[:4])
        hub.fence(a)


def half_closed():
    """What was asked before the end of input is answered after it."""
    with Server() as s:
        hub = s.hub
        a = hub.join("a")
        for turn in range(5 * SCALE):
            b = hub.dial(f"b{turn}", ack=never)
            b.register()
            asked = [b.send(f"{turn} {i}") for i in range(20)]
            asked += [b.sendfile(f"file{turn}", b"x" * 100000)]
            asked += [b.getfile(f"file{turn}"), b.getfile("none")]
            b.half_close()
            hub.until(closed(b))
            assert b.closed[0] == "end" and b.goodbye is None, b
            assert [x.code for x in asked] == [0] * 22 + [6], [
                (x.code, x.text) for x in asked]
            assert asked[21].size == 100000
            hub.until(lambda: f"b{turn} has left" in a.news())
        hub.fence(a)
        heard_all([a])
        assert handlers_end(s, 1)
        nobody = hub.dial("nobody")
        nobody.half_close()
        hub.until(closed(nobody))
        assert nobody.goodbye is None and handlers_end(s, 1)


def handlers_end(s, left):
    s.hub.until(lambda: len(s.handlers()) == left)
    return True


def held(data, released):
    """A half of it, then as little as goes for progress until released."""
    at, moved = len(data) // 2, time.monotonic()
    yield data[:at]
    while not released:
        if time.monotonic() < moved + 1:
            yield None
            continue
        moved = time.monotonic()
        yield data[at:at + 1]
        at += 1
    yield data[at:]


def told_to_end():
    """SIGTERM: nothing acknowledged is lost, nothing stored unacknowledged."""
    data = os.urandom(1 << 20) * 4
    for turn in range(2 * SCALE):
        since = len(lobby())
        with Server() as s:
            hub = s.hub
            many = hub.join(*names(10), ack=at_random(turn, 0.01))
            idle, deaf = hub.join("idle", "deaf", ack=never)
            up = hub.join("up")
            down = hub.join("down", rcvbuf=16384)
            done = up.sendfile(f"given{turn}", data)
            hub.until(lambda: done.done)
            talked = []
            down.ack = never
            hub.fence(up, among=[down])
            up = up.sendfile(f"file{turn}", held(data, talked), size=len(data))
            down.read_slowly(16384, 1)
            got = down.getfile(f"given{turn}")
            asked = []
            for c in many:
                c.talk(remember(asked, c, turn))
            hub.until(lambda: len(asked) > 200 and
                      len(lobby()) > since + 200)
            assert not up.done and not got.done
            hub.closing = True
            s.send(signal.SIGTERM)
            hub.until(closed(*many, idle, deaf))
            assert not up.done and not got.done
            talked.append(True)
            down.read_slowly(16384, 0.001)
            # All is written: what comes now must not take it back.
            hub.until(lambda: down.file and down.file[0] < 300000)
            down.acknowledge()
            hub.until(closed(*hub.all))
            assert s.process.wait(PATIENCE) == 0
            assert all(c.closed[0] == "end" for c in many), many
            # What was begun was brought to its end.
            assert up.code == 0 and got.done, (up.code, down)
            assert got.digest == hashlib.sha256(data).hexdigest()
            check_stored(many, asked)
            assert lobby()[-1].file == f"file{turn}"
            heard_some(many)


def check_stored(clients, asked):
    stored = [r.text for r in lobby()]
    assert len(set(stored)) == len(stored)
    for c in clients:
        sure = [t for t in asked if t.startswith(c.name + " ")]
        # The last one of each perhaps had no answer.
        doubt = sure.pop() if c.asked else None
        assert set(sure) <= set(stored), c
        assert not doubt or doubt not in stored, (
            c, "was stored and not answered")


def remember(asked, client, turn):
    for i in range(100000):
        text = f"{client.name} in {turn} says {i}"
        asked.append(text)
        yield text


# --- what dies -----------------------------------------------------------------

def leaver(hub, way, s, name):
    """Somebody who talks, and is gone in the middle of it."""
    c = hub.join(name)
    pid = handler_of(name)
    for i in range(30):
        c.send(f"{name} {i}")
    if way == "close":
        c.half_close()
    elif way == "hang up":
        hub.at(random.uniform(0, 0.01), c.hang_up)
    else:
        hub.at(random.uniform(0, 0.01), lambda: kill(pid))
    return c


def leaves_last(way):
    """Nobody speaks after having left, and all that was said is heard."""
    for _ in range(SCALE):
        leave_last(way)


def leave_last(way):
    """serve waits longer each time before it starts a fanout again: a few turns
    with each."""
    since = len(lobby())
    # Else who came and went without a word may have been told of to none.
    surely = way not in ("fanout", "both")
    with Server() as s:
        hub = s.hub
        watchers = [hub.join("w1"), hub.join("w2", ack=at_random(2, 0.005)),
                    hub.join("w3", ack=after(0.001))]
        for turn in range(4):
            how = {"fanout": "hang up", "both": "kill"}.get(way, way)
            gone = [leaver(hub, how, s, f"l{turn}x{i}") for i in range(6)]
            if not surely:
                hub.pass_time(random.uniform(0, 0.012))
                s.kill_fanout()
            hub.until(closed(*gone))
            hub.until(lambda: all(
                f"{g.name} has left" in w.news() or
                not surely and g.name not in w.here
                for g in gone for w in watchers),
                lambda: [w.here for w in watchers])
        handlers_end(s, len(watchers))
        hub.agree()
        hub.fence(watchers[0])
        heard_all(watchers, since)
        alive(*watchers)


def leaves_last_close():
    leaves_last("close")


def leaves_last_hang_up():
    leaves_last("hang up")


def leaves_last_killed():
    leaves_last("kill")


def leaves_last_fanout():
    leaves_last("fanout")


def leaves_last_both():
    leaves_last("both")


def fanout_restarts():
    """What is told after fanout's restart is what happened meanwhile."""
    with Server() as s:
        hub = s.hub
        many = hub.join(*names(40 if SCALE == 1 else 200))
        hub.agree()
        quiet = [len(c.news()) for c in many]
        for turn in range(3):
            before = s.fanouts()
            s.kill_fanout()
            hub.until(lambda: s.fanouts() > before)
            hub.fence(many[turn])
        # A handler that is connected again hears of one who comes.
        last = hub.join("last")
        hub.agree()
        hub.fence(last)
        for c, n in zip(many, quiet):
            assert c.news()[n:] == ["last has connected"], c.news()[n:]
        away = FanoutAway()
        s.kill_fanout()
        hub.until(away.held.is_set)
        gone = many[:10]
        for c in gone[:5]:
            kill(handler_of(c.name))
        hub.leave(*gone[5:])
        hub.until(closed(*gone))
        many = many[10:]
        new = hub.join(*names(5, "new"))
        hub.until(lambda: all(n.name in last.here for n in new))
        away.over()
        hub.agree()
        hub.fence(last)
        for c in many + [last]:
            news = c.news()[-15:]
            assert sorted(news) == sorted(
                [f"{c.name} has left" for c in gone] +
                [f"{c.name} has connected" for c in new]), news
        alive(*many, *new, last)


def grabbed():
    """A name that changes hands while fanout is away."""
    for _ in range(SCALE):
        grab()


def grab():
    since = len(lobby())
    with Server() as s:
        hub = s.hub
        watchers = hub.join("w1", "w2")
        for turn in range(2):
            name = f"name{turn}"
            old = hub.join(name)
            hub.agree()
            old.send(f"old {turn}")
            hub.fence(old)
            away = FanoutAway()
            s.kill_fanout()
            hub.until(away.held.is_set)
            kill(handler_of(name))
            hub.until(closed(old))
            new = hub.dial(name.upper())
            new.register()
            hub.until(lambda: new.welcome or new.closed)
            assert new.welcome, new
            new.send(f"new {turn}")
            hub.until(lambda: all(
                f"new {turn}" in w.texts() for w in watchers))
            before = s.fanouts()
            away.over()
            hub.until(lambda: s.fanouts() > before)
            hub.fence(new)
            other = hub.join(f"other{turn}")
            hub.agree()
            hub.leave(new, other)
            hub.agree()
        hub.fence(watchers[0])
        heard_all(watchers, since)


def no_fanout():
    """Without fanout it goes on, only slower; and faster when it is back."""
    away = FanoutAway()
    with Server(fanout=False) as s:
        hub = s.hub
        begun = time.monotonic()
        a = hub.join("a")
        b = hub.join("b")
        assert b.here == {"a"}
        hub.until(lambda: "b has connected" in a.news(), patience=5)
        hub.fence(a)
        hub.fence(b)
        c = hub.join("c")
        hub.agree()
        hub.leave(c)
        hub.agree()
        assert time.monotonic() - begun < 10
        away.over()
        s.logged("socket=fanout.sock")
        d = hub.join("d")
        hub.agree()
        pulse = Pulse(hub, d)
        # Handlers find it again when their next attempt is due, and then are
        # rung: who looks each 0.5 to 1 s hears not ten in a row so soon.
        hub.until(lambda: all(pulse.prompt(c, 10, 0.3) for c in (a, b)))
        pulse.stop(a, b)
        heard_all([a, b])
        assert a.news()[1:] == ["b has connected", "c has connected",
                                "c has left", "d has connected"], a.news()


def handlers_by_hand():
    """Two handlers, no server, no helper."""
    hub = Hub()
    a = by_hand(hub, "a")
    a.register()
    hub.until(lambda: a.welcome)
    b = by_hand(hub, "b")
    b.register()
    hub.until(lambda: b.welcome)
    assert b.here == {"a"}
    hub.until(lambda: "b" in a.here, patience=5)
    taken = by_hand(hub, "A")
    asked = taken.register()
    hub.until(closed(taken))
    assert asked.code == 2
    hub.fence(a)
    hub.fence(b)
    b.half_close()
    hub.until(lambda: "b" not in a.here, patience=5)
    hub.until(closed(b))
    a.process.send_signal(signal.SIGTERM)
    hub.closing = True
    hub.until(closed(a))
    assert [c.process.wait(PATIENCE) for c in (a, b, taken)] == [0, 0, 0]
    heard_all([a])


# --- who does not answer -------------------------------------------------------

def small_window(hub, name):
    return hub.join(name, rcvbuf=2048)


def timed_out(client, since, least, most):
    assert client.goodbye and client.goodbye[0] == 7, client
    assert client.closed[0] == "end", client
    took = client.closed[1] - since
    assert least <= took <= most, (client, took)


def unacknowledging():
    """Who acknowledges not or too late goes, who is just in time stays."""
    with Server(BCS_ACK_TIMEOUT=2) as s:
        hub = s.hub
        a, b = hub.join("a", "b")
        mute, late, prompt = hub.join("mute", "late", "prompt")
        deaf = small_window(hub, "deaf")
        hub.agree()
        mute.ack, late.ack, prompt.ack = never, after(3.5), after(1.2)
        deaf.stop_reading()
        early = hub.come("early", ack=never)[0]  # not even the roster
        hub.until(lambda: early.welcome)
        begun = time.monotonic()
        pulse = Pulse(hub, a, size=60000)
        talking = Pulse(hub, mute, every=0.3)  # is no acknowledgement
        for gone in mute, late, deaf, early:
            hub.until(lambda: all(f"{gone.name} has left" in c.news()
                                  for c in (a, b)))
        assert time.monotonic() - begun < 8
        deaf.stop_reading(False)
        hub.until(closed(mute, late, deaf, early))
        for gone in mute, late, early:
            first = [h.time for h in gone.heard if h.time >= begun] or [begun]
            timed_out(gone, first[0], 1.9, 5)
        assert late.heard[-1].time < begun + 3
        hub.until(lambda: len(prompt.heard) > 6 + 4)
        talking.beating = False
        pulse.stop(b)
        pulse.smooth(b)
        alive(a, b, prompt)
        prompt.ack = lambda _: 0
        hub.fence(a)
        hub.agree()
        heard_all([a, b, prompt])


def drip(data, every):
    due = time.monotonic()
    for byte in data:
        while time.monotonic() < due:
            yield None
        due += every
        yield bytes([byte])


def stuck():
    """Deadlines that no setting shortens: 10 s to register, 30 s of a frame
    or of a download without progress."""
    os.makedirs(STATE + "/files")
    with open(STATE + "/files/big", "wb") as big:
        big.truncate(60 << 20)
    with Server(BCS_ACK_TIMEOUT=600) as s:
        hub = s.hub
        a, b = hub.join("a", "b")
        begun = time.monotonic()
        silent, half, dripped = hub.dial(), hub.dial(), hub.dial()
        half.write(frame(REGISTER, "half")[:5])
        dripped.write(drip(frame(REGISTER, "d" * 30), 0.5))
        framed, uploading, slow, refused = hub.join(
            "framed", "uploading", "slow", "refused")
        deaf, loading = hub.join("deaf", "loading", rcvbuf=4096)
        hub.agree()
        pulse = Pulse(hub, a, every=0.2)
        stopped = time.monotonic()
        for c in framed, uploading, refused:
            c.ack = never  # it would go on with its frame
        framed.write(frame(SEND, "half")[:5])
        uploading.sendfile("upload", b"x" * 70000, size=100000)
        refused.sendfile("../upload", b"x" * 70000, size=100000)
        slow.expect(SEND)
        slow.write(drip(frame(SEND, "slow"), 6))
        deaf.stop_reading()
        deaf.careless = True
        deaf.write(pour(frame(SEND, "")))
        loading.getfile("big")
        loading.stop_reading()
        hub.until(closed(silent, half, dripped))
        for c in silent, half, dripped:
            timed_out(c, begun, 9.5, 14)
        gone = framed, uploading, refused, deaf, loading
        hub.until(lambda: all(f"{c.name} has left" in b.news() for c in gone),
                  lambda: b.here, patience=50)
        for c in gone:
            took = b.when(f"{c.name} has left") - stopped
            assert 29 < took < 40, (c, took)
        hub.until(closed(framed, uploading, refused))
        for c in framed, uploading, refused:
            timed_out(c, stopped, 29, 40)
        hub.leave(deaf, loading)
        assert not os.path.exists(STATE + "/files/upload")
        hub.until(lambda: "slow" in b.texts())
        pulse.stop(b)
        pulse.smooth(b)
        alive(a, b, slow)
        hub.agree()
        hub.fence(b)


def pour(data):
    """Until the other end takes no more, so its answers went nowhere."""
    for _ in range(200000):
        yield data * 1000


# --- who takes long ------------------------------------------------------------

def paced(data, seconds):
    """Data over about so many seconds."""
    begun, sent = time.monotonic(), 0
    while sent < len(data):
        due = len(data) * (time.monotonic() - begun) / seconds
        if due <= sent:
            yield None
            continue
        yield data[sent:sent + 262144]
        sent += 262144


def uploads():
    """While one uploads for long, all others go on; and so does he after."""
    data = os.urandom(1 << 20) * 60
    with Server(BCS_ACK_TIMEOUT=2) as s:
        hub = s.hub
        a, b, u = hub.join("a", "b", "u")
        hub.agree()
        pulse = Pulse(hub, a)
        up = u.sendfile("big.bin", paced(data, 4), size=len(data))
        hub.until(lambda: up.done)
        assert up.code == 0, up.text
        assert up.took > 3.9
        # He was delivered one meanwhile, and acknowledged it only now.
        assert [h for h in u.heard if up.begun < h.time < up.done]
        hub.until(lambda: "big.bin" in b.texts())
        down = b.getfile("big.bin")
        hub.until(lambda: down.done)
        assert down.digest == hashlib.sha256(data).hexdigest()
        pulse.stop(b, u)
        pulse.smooth(b)
        during = [h for h in b.heard if up.begun < h.time < up.done]
        assert len(during) > 20, len(during)
        hub.fence(a)
        assert b.said().count(("u", FNOTIFY, "big.bin")) == 1
        heard_all([a, b, u])


def slow_reader():
    """While one takes its time over a download, all others go on."""
    data = os.urandom(1 << 20) * 8
    with Server(BCS_ACK_TIMEOUT=1) as s:
        hub = s.hub
        a, b = hub.join("a", "b")
        slow = hub.join("slow", rcvbuf=16384)
        hub.agree()
        assert a.sendfile("big", data)
        hub.until(lambda: "big" in slow.texts())
        pulse = Pulse(hub, a)
        slow.read_slowly(32768, 0.01)
        down = slow.getfile("big")
        said = [slow.send(f"meanwhile {i}") for i in range(3)]
        hub.until(lambda: down.done)
        assert down.digest == hashlib.sha256(data).hexdigest()
        assert down.took > 2, down.took
        hub.until(lambda: said[2].done)
        pulse.stop(b, slow)
        pulse.smooth(b)
        hub.fence(a)
        heard_all([a, b, slow])
        alive(a, b, slow)


def just_taken():
    """The time for a status counts from the last byte that was taken."""
    with Server(BCS_ACK_TIMEOUT=2) as s:
        hub = s.hub
        a = hub.join("a")
        slow = hub.join("slow", rcvbuf=4096)
        hub.fence(a)
        slow.stop_reading()
        slow.ack = after(0.8)
        asked = a.send("." * 65000)
        hub.until(lambda: asked.done)
        hub.pass_time(1.6)
        slow.stop_reading(False)
        hub.until(lambda: slow.unacked)
        hub.until(lambda: not slow.unacked)
        slow.ack = at_once
        hub.fence(a)
        hub.fence(slow)
        heard_all([a, slow])
        alive(a, slow)
        # Of whom nothing more is known it is the time from the sending.
        slow.ack = never
        begun = time.monotonic()
        hub.fence(a, among=[])
        hub.until(closed(slow))
        timed_out(slow, begun, 1.9, 3.5)


def withheld():
    """A status that stands behind what the server does not read is not late,
    and who takes nothing has the 30 s of the output, not those of a status."""
    os.makedirs(STATE + "/files")
    data = os.urandom(1 << 20) * 12
    with open(STATE + "/files/big", "wb") as big:
        big.write(data)
    with Server(BCS_ACK_TIMEOUT=1) as s:
        hub = s.hub
        a = hub.join("a")
        # By a status that waits for its place; by a request that does.
        waits = [lambda c: c.send("in between"), lambda c: c.getfile("big")]
        for turn, wait in enumerate(waits):
            c = hub.join(f"c{turn}", rcvbuf=16384)
            hub.agree()
            hub.fence(a)
            c.ack = never
            asked = a.send("to be acknowledged")
            hub.until(lambda: asked.done and c.unacked)
            c.stop_reading()
            down, behind = c.getfile("big"), wait(c)
            c.acknowledge()
            hub.pass_time(3)
            c.ack = at_once
            c.stop_reading(False)
            hub.until(lambda: down.done and behind.done,
                      lambda: (c, down.done, behind.done))
            assert down.digest == hashlib.sha256(data).hexdigest()
            hub.fence(a)
            alive(a, c)
            heard_all([a])
            c.half_close()  # so that no more status is to be expected
            hub.until(closed(c))
            assert c.goodbye is None and c.closed[0] == "end", c


def many_own():
    """Who sends much before it acknowledges is answered, and does not hear it
    back."""
    count = 4300
    with Server() as s:
        hub = s.hub
        a, b = hub.join("a", "b")
        hub.agree()
        hub.fence(a)
        b.ack = never
        hub.fence(a, among=[])
        hub.until(lambda: b.unacked)
        a.talk(f"a {i}" for i in range(100))
        asked = [b.send(f"b {i}") for i in range(count)]
        hub.until(lambda: all(x.done and x.code == 0 for x in asked),
                  lambda: sum(bool(x.done) for x in asked), patience=60)
        a.talk(f"a {i}" for i in range(100, 110))
        asked = [b.send(f"b {i}") for i in range(count, count + 10)]
        hub.until(lambda: all(x.done and x.code == 0 for x in asked))
        b.ack = at_once
        b.acknowledge()
        hub.until(lambda: "a 109" in b.texts())
        asked = [b.send(f"b {i}") for i in range(10)]
        hub.fence(a)
        hub.fence(b)
        heard_all([a, b])


def rate():
    """Who sends too fast is read more slowly, and nothing is dropped."""
    with Server(RATE=20, BCS_ACK_TIMEOUT=1) as s:
        hub = s.hub
        a, b, fast = hub.join("a", "b", "fast")
        hub.agree()
        begun = time.monotonic()
        asked = [fast.send(f"fast {i}") for i in range(160)]
        # The acknowledgement of this stands behind all of those.
        pulse = Pulse(hub, a)
        hub.until(lambda: asked[50].done)
        hub.until(lambda: all(x.done for x in asked))
        took = time.monotonic() - begun
        assert 2.5 < took < 8, took
        assert all(x.code == 0 for x in asked)
        assert asked[99].took < 2, asked[99].took
        pulse.stop(b, fast)
        pulse.smooth(b)
        hub.fence(b)
        heard_all([a, b, fast])
        alive(a, b, fast)
        # A bucket for each.
        asked = [b.send(f"too {i}") for i in range(90)]
        hub.until(lambda: all(x.done for x in asked))
        assert asked[-1].took < 2


if __name__ == "__main__":
    main(globals())
