"""Many clients of the bcs door at once, written from specs/bcs.txt alone.

	hub = Hub(port)
	alice, bob = hub.join("alice", "bob")
	asked = alice.send("hello")
	hub.until(lambda: asked.done and bob.texts())

One thread and one epoll: nothing moves but within hub.until(). Every client
always checks what must always hold, and fails at once where it does not: one
deliver outstanding, a status for each thing asked and in its order, nothing
delivered to who is not registered, a roster first, nobody comes who is here,
nobody leaves who is not, nobody speaks who has left.
"""
import collections
import hashlib
import heapq
import random
import re
import select
import socket
import struct
import time

REGISTER, SEND, DELIVER, STATUS, SENDFILE, FNOTIFY, GETFILE, RECVFILE = range(
    1, 9)
PROTOCOL, TIMEOUT = 1, 7  # codes after which the server closes
PATIENCE = 30


# --- frames ------------------------------------------------------------------

def string(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(value)) + value


def frame(kind, *values):
    """An int is a code in a status, else a u32."""
    out = bytes([kind])
    for value in values:
        if isinstance(value, int):
            out += struct.pack(">B" if kind == STATUS else ">I", value)
        else:
            out += string(value)
    return out


OK = frame(STATUS, 0, "ok")


# --- what a client does with a deliver: seconds until it says ok, None: never

def at_once(_):
    return 0


def never(_):
    return None


def after(seconds):
    return lambda _: seconds


def at_random(seed, most):
    """Mostly at once, sometimes after a while."""
    rng = random.Random(seed)
    return lambda _: 0 if rng.random() < 0.7 else rng.uniform(0, most)


Heard = collections.namedtuple("Heard", "time kind author text")


class Asked:
    """One frame that has an answer."""

    def __init__(self, kind, then=None):
        self.kind = kind
        self.then = then
        self.begun = time.monotonic()
        self.done = None  # when
        self.code = None
        self.text = None
        self.size = self.digest = None  # of a received file

    @property
    def took(self):
        return self.done - self.begun

    def answer(self, code, text):
        self.code, self.text, self.done = code, text, time.monotonic()
        if self.then:
            self.then(self)


class Client:
    def __init__(self, hub, sock, name=None, ack=at_once):
        self.hub, self.sock, self.name, self.ack = hub, sock, name, ack
        self.fd = sock.fileno()
        self.reading, self.slow = True, None
        self.got = bytearray()
        self.out = collections.deque()  # bytes, iterators and functions
        self.blocked = False
        self.asked = collections.deque()
        self.heard = []
        self.here = None  # the names it was shown
        self.left = set()
        self.roster_parts = 0
        self.registered = self.unacked = False
        self.careless = False  # it does not keep count of what it asked
        self.due = []  # acknowledgements for when all input is read
        self.file = None  # being received: bytes left, hash, Asked
        self.goodbye = None  # (code, text)
        self.closed = None  # "end" or "reset", and when
        sock.setblocking(False)
        hub.add(self)

    def __repr__(self):
        return f"<{self.name} goodbye={self.goodbye} closed={self.closed}>"

    def fail(self, what):
        raise AssertionError(
            f"{self.name}: {what}; heard last: {self.heard[-5:]}")

    # --- what it says

    def write(self, *what):
        """Bytes; iterators of bytes, of None for "later"; functions."""
        self.out.extend(what)
        self.flush()

    def flush(self):
        self.blocked = False
        while self.out and not self.blocked and self.sock.fileno() >= 0:
            head = self.out[0]
            if callable(head):
                self.out.popleft()
                head()
            elif isinstance(head, (bytes, memoryview)):
                self.flush_bytes(head)
            else:
                self.flush_some(head)
        self.hub.watch(self)

    def flush_bytes(self, data):
        try:
            n = self.sock.send(data)
        except BlockingIOError:
            self.blocked = True
        except (BrokenPipeError, ConnectionResetError):
            self.out.clear()
        else:
            if n == len(data):
                self.out.popleft()
            else:
                self.out[0] = memoryview(data)[n:]

    def flush_some(self, source):
        data = next(source, b"")
        if data is None:
            self.blocked = True
            self.hub.at(0.01, self.flush)
        elif data:
            self.out.appendleft(data)
        else:
            self.out.popleft()

    def ask(self, kind, *values, then=None, contents=()):
        asked = Asked(kind, then)
        self.asked.append(asked)
        self.write(frame(kind, *values), *contents)
        return asked

    def expect(self, kind):
        """An answer to what it writes by itself."""
        self.asked.append(Asked(kind))
        return self.asked[-1]

    def register(self, then=None):
        return self.ask(REGISTER, self.name, then=then)

    def send(self, text, then=None):
        return self.ask(SEND, text, then=then)

    def talk(self, texts):
        """One after the other, waiting for each status as the spec says."""
        rest = iter(texts)

        def more(asked=None):
            assert not asked or asked.code == 0, (self, asked.text)
            text = next(rest, None)
            if text is not None and not self.closed:
                self.send(text, more)
        more()

    def sendfile(self, name, contents, size=None, then=None):
        size = len(contents) if size is None else size
        return self.ask(SENDFILE, name, size, then=then, contents=[
            contents if isinstance(contents, bytes) else iter(contents)])

    def getfile(self, name, then=None):
        return self.ask(GETFILE, name, then=then)

    def acknowledge(self, code=0):
        def done():
            self.unacked = False
        self.write(OK if code == 0 else frame(STATUS, code, "?"), done)

    def hang_up(self):
        """At once, whatever is on its way."""
        self.hub.drop(self)
        self.sock.close()
        self.closed = self.closed or ("hung up", time.monotonic())

    def half_close(self):
        self.write(lambda: self.sock.shutdown(socket.SHUT_WR))

    # --- what it hears

    def stop_reading(self, stop=True):
        self.reading = not stop
        self.hub.watch(self)

    def read_slowly(self, size, every):
        """At most size bytes every so many seconds."""
        def wake():
            if not self.closed:
                self.stop_reading(False)
                self.readable()
        self.slow = size, every, wake

    def readable(self):
        try:
            data = self.sock.recv(self.slow[0] if self.slow else 262144)
        except BlockingIOError:
            return
        except ConnectionResetError:
            return self.end("reset")
        if not data:
            return self.end("end")
        if self.slow and not self.closed:
            self.stop_reading()
            self.hub.at(self.slow[1], self.slow[2])
        self.got += data
        self.take()

    def end(self, how):
        self.closed = how, time.monotonic()
        self.hub.drop(self)
        self.sock.close()

    def take(self):
        at = 0
        while not self.closed:
            end = self.take_file(at) if self.file else self.take_frame(at)
            if end is None:
                break
            at = end
        del self.got[:at]
        due, self.due = self.due, []
        # Not before: what came with a deliver did not wait for its status.
        for delay in due:
            if delay:
                self.hub.at(delay, self.acknowledge)
            else:
                self.acknowledge()

    def take_string(self, at):
        if at is None or len(self.got) < at + 2:
            return None, None
        end = at + 2 + (self.got[at] << 8 | self.got[at + 1])
        if len(self.got) < end:
            return None, None
        return end, bytes(self.got[at + 2:end])

    def take_frame(self, at):
        if len(self.got) <= at:
            return None
        kind = self.got[at]
        if kind in (DELIVER, FNOTIFY):
            end, author = self.take_string(at + 1)
            end, text = self.take_string(end)
            if end:
                self.hears(kind, author.decode(), text)
        elif kind == STATUS:
            end, text = self.take_string(at + 2)
            if end:
                self.answered(self.got[at + 1], text.decode())
        elif kind == RECVFILE:
            end = at + 5 if len(self.got) >= at + 5 else None
            if end:
                size = int.from_bytes(self.got[at + 1:end], "big")
                self.file_begins(size)
        else:
            self.fail(f"a frame of type {kind}")
        return end

    def file_begins(self, size):
        if not self.asked or self.asked[0].kind != GETFILE:
            self.fail("a file that it did not ask for")
        self.asked[0].size = size
        self.file = [size, hashlib.sha256()]

    def take_file(self, at):
        data = self.got[at:at + self.file[0]]
        self.file[0] -= len(data)
        self.file[1].update(data)
        if self.file[0]:
            del self.got[:]
            return None if not data else 0
        asked = self.asked.popleft()
        asked.digest = self.file[1].hexdigest()
        self.file = None
        asked.answer(0, None)
        return at + len(data)

    def answered(self, code, text):
        if self.goodbye:
            self.fail(f"status {code} {text} after goodbye")
        if code in (PROTOCOL, TIMEOUT) or (
                self.hub.closing and (code or not self.asked)):
            self.goodbye = code, text
            return
        if self.careless:
            return
        if not self.asked:
            self.fail(f"status {code} {text}, but nothing was asked")
        asked = self.asked.popleft()
        if asked.kind == REGISTER:
            self.registered = code == 0
            if code:
                self.goodbye = code, text
        asked.answer(code, text)

    def hears(self, kind, author, text):
        if not self.registered:
            self.fail("is delivered to and not registered")
        if self.unacked:
            self.fail(f"{kind} from {author} while one is unacknowledged")
        text = text.decode()
        heard = Heard(time.monotonic(), kind, author, text)
        self.heard.append(heard)
        if kind == DELIVER:
            self.unacked = True
            delay = self.ack(heard)
            if delay is not None:
                self.due.append(delay)
        if author == "server":
            self.hears_server(text)
        else:
            self.hears_somebody(author)

    def hears_somebody(self, author):
        if self.here is None:
            self.fail(f"a message of {author} before the roster")
        self.roster_parts = -1
        if author.startswith("~") or author in self.hub.accounts:
            return
        if author in self.left and author not in self.here:
            self.fail(f"a message of {author}, who has left")
        if author not in self.here:
            self.fail(f"a message of {author}, who is not here")

    def hears_server(self, text):
        news = re.fullmatch("(.+) has (connected|left)", text)
        if text == "Nobody else is here" and self.here is None:
            self.here = set()
            self.roster_parts = -1
        elif text.startswith("Also here: ") and self.roster_parts >= 0:
            names = text[len("Also here: "):].split(", ")
            self.here = self.here or set()
            if self.here & set(names) or len(set(names)) != len(names):
                self.fail("somebody is twice in the roster")
            if self.name in names or not all(names):
                self.fail(f"the roster holds {text}")
            self.here.update(names)
            self.roster_parts += 1
        elif news and self.here is not None:
            self.roster_parts = -1
            self.hears_news(news[1], news[2] == "connected")
        else:
            self.fail(f"server says {text}")

    def hears_news(self, name, joined):
        if name == self.name:
            self.fail("hears news of itself")
        if joined == (name in self.here):
            self.fail(f"{name} joined: {joined}, but was here: {joined}")
        if joined:
            self.here.add(name)
        else:
            self.here.remove(name)
            self.left.add(name)

    # --- what it heard

    @property
    def welcome(self):
        return self.here is not None

    def said(self):
        """What people said: (author, text), and (author, FNOTIFY, file)."""
        return [(h.author, h.text) if h.kind == DELIVER else
                (h.author, FNOTIFY, h.text)
                for h in self.heard if h.author != "server"]

    def texts(self):
        return [h.text for h in self.heard if h.author != "server"]

    def news(self):
        return [h.text for h in self.heard if h.author == "server"]

    def when(self, text):
        for heard in self.heard:
            if heard.text == text:
                return heard.time
        return None


class Hub:
    def __init__(self, port=None):
        self.port = port
        self.poll = select.epoll()
        self.clients = {}
        self.all = []
        self.timers = []
        self.turns = 0
        self.accounts = set()
        self.closing = False

    def close(self):
        for client in list(self.clients.values()):
            client.hang_up()
        self.poll.close()

    # --- clients

    def dial(self, name=None, ack=at_once, rcvbuf=None):
        """A connection that says nothing yet."""
        sock = socket.socket()
        if rcvbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Client(self, sock, name, ack)

    def come(self, *names, **how):
        """Clients that have registered, answered or not."""
        clients = [self.dial(name, **how) for name in names]
        for client in clients:
            client.register()
        return clients

    def join(self, *names, **how):
        """Clients that are welcome; of one name, that client."""
        clients = self.come(*names, **how)
        self.until(lambda: all(c.welcome for c in clients))
        return clients if len(names) > 1 else clients[0]

    def leave(self, *clients):
        for client in clients:
            client.hang_up()

    def present(self):
        return [c for c in self.clients.values() if c.welcome]

    def agree(self, patience=PATIENCE):
        """Until everybody knows of all others and of nobody else."""
        def wrong():
            there = self.present()
            names = {c.name for c in there}
            return {c.name: c.here ^ (names - {c.name}) for c in there
                    if c.here != names - {c.name}}

        def counts():  # of a thousand, comparing all each time takes minutes
            there = self.present()
            return all(len(c.here) == len(there) - 1 for c in there)
        self.until(lambda: counts() and not wrong(), wrong, patience)

    def fence(self, by, among=None):
        """Until everybody has heard a message by this one."""
        among = self.present() if among is None else among
        among = [c for c in among if c is not by]
        text = f"fence {by.name} {time.monotonic()}"
        asked = by.send(text)
        self.until(lambda: asked.done and all(c.when(text) for c in among),
                   lambda: [asked.text] + [
                       c for c in among if not c.when(text)])
        assert asked.code == 0, asked.text
        return text

    # --- the loop

    def add(self, client):
        self.all.append(client)
        self.clients[client.fd] = client
        client.mask = select.EPOLLIN
        self.poll.register(client.fd, client.mask)

    def drop(self, client):
        if self.clients.pop(client.fd, None):
            self.poll.unregister(client.fd)

    def watch(self, client):
        if client.fd not in self.clients:
            return
        mask = client.reading and select.EPOLLIN
        if client.out and client.blocked and isinstance(
                client.out[0], (bytes, memoryview)):
            mask |= select.EPOLLOUT
        if mask != client.mask:
            client.mask = mask
            self.poll.modify(client.fd, mask)

    def at(self, delay, what):
        self.turns += 1
        heapq.heappush(
            self.timers, (time.monotonic() + delay, self.turns, what))

    def turn(self, most):
        now = time.monotonic()
        if self.timers:
            most = min(most, self.timers[0][0] - now)
        for fd, events in self.poll.poll(max(0, most)):
            client = self.clients.get(fd)
            if client and events & select.EPOLLOUT:
                client.flush()
            if client and fd in self.clients and events & ~select.EPOLLOUT:
                if client.reading:
                    client.readable()
                else:  # reset: what had arrived is there still
                    client.stop_reading(False)
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            heapq.heappop(self.timers)[2]()

    def until(self, true, why=None, patience=PATIENCE):
        end = time.monotonic() + patience
        while not true():
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(("never came true", why and why(), [
                    c for c in self.all if c.closed or c.goodbye][:20]))
            self.turn(min(left, 0.2))

    def pass_time(self, seconds):
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end, patience=seconds + 5)


class Pulse:
    """One client says something every so often; how long others wait for it."""

    def __init__(self, hub, sender, every=0.1, size=0):
        self.hub, self.sender, self.every = hub, sender, every
        self.sent = {}
        self.fill = "." * size
        self.beating = True
        self.asked = None
        self.beat()

    def beat(self):
        if not self.beating or self.sender.closed:
            return
        if not self.asked or self.asked.done:
            text = f"pulse {len(self.sent)} {self.fill}"
            self.sent[text] = time.monotonic()
            self.asked = self.sender.send(text)
        self.hub.at(self.every, self.beat)

    def stop(self, *receivers):
        self.beating = False
        self.hub.until(
            lambda: self.asked.done and
            all(len(self.latencies(r)) == len(self.sent) for r in receivers),
            lambda: [(r, len(self.latencies(r)), len(self.sent))
                     for r in receivers])

    def latencies(self, receiver):
        return sorted(h.time - self.sent[h.text] for h in receiver.heard
                      if h.text in self.sent)

    def prompt(self, receiver, count, most):
        """Did the last so many come so soon?"""
        took = [h.time - self.sent[h.text] for h in receiver.heard
                if h.text in self.sent][-count:]
        return len(took) == count and max(took) < most

    def smooth(self, *receivers, most=5.0, median=0.25):
        """Nobody was delayed."""
        for r in receivers:
            took = self.latencies(r)
            assert len(took) > 3, (r, took)
            assert took[-1] < most and took[len(took) // 2] < median, (r, took)
