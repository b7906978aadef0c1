#!/usr/bin/env python3
"""bcs_client.py: talk to others through a BCS server (bcs_client.py(1)).

One loop waits for the server, the keyboard (or a pipe) and the clock. What is
typed becomes requests; they wait in a queue, since the next may only go out
when the status of the one before has come. What the server delivers is shown
at once and then acknowledged; while a file goes out an acknowledgement waits
for its end, nothing may stand inside a file's contents.

    Reader    the server's bytes -> messages      Message, Upload, Download:
    Client    the loop, the queue, the socket       requests
    Editor    keys -> lines                       Pipe, Terminal: the two ways
                                                    to be used

Whatever ends it is an Ended that carries the exit status: 0; the server's code
for a refusal; 100 for wrong usage; 111 when the network, the server or this
system fails; 128 + N for signal N.
"""
from __future__ import annotations

import signal
if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback meanwhile

import argparse
import codecs
import contextlib
import glob
import itertools
import os
import re
import selectors
import shlex
import socket
import stat
import sys
import termios
import time
import unicodedata
from bisect import bisect_left, bisect_right
from collections import deque
from typing import Callable, Iterator, NoReturn, Optional, Union

VERSION = "unbuilt"
REGISTER, SEND, DELIVER, STATUS, SENDFILE, FNOTIFY, GETFILE, RECVFILE = \
    range(1, 9)
CONTENTS = 0            # not on the wire: a piece of a recvfile's contents
# What a server may send: s is a string, b a u8, l a u32.
LAYOUT = {DELIVER: "ss", STATUS: "bs", FNOTIFY: "ss", RECVFILE: "l"}
STRING_MAX = 65535
FILE_MAX = 2**32 - 1
CHUNK = 256 * 1024
OUT_MAX = 1024 * 1024   # acknowledgements not taken: the server must wait
QUEUE_MAX = 64          # requests read ahead from a pipe
CONNECT_TIME = 30       # seconds for each address; and for the registration
USAGE, FAILED = 100, 111
PROTOCOL_ERROR, TIMED_OUT = 1, 7  # the status codes that end any session
HELP = """\
TEXT               say TEXT to everyone
/send PATH         upload a file
/get NAME [PATH]   download a file, to the folder here or to PATH
/quit              leave, as Ctrl-D does
/help              this list
//TEXT             say /TEXT
Quote names with spaces: /send "my file"."""


class Ended(Exception):
    """The client is to end with this exit status, telling why."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Fault(Exception):
    """One line or one request cannot be done; exit status for a pipe."""

    def __init__(self, text: str, code: int = USAGE) -> None:
        super().__init__(text)
        self.code = code


# --- text --------------------------------------------------------------------

def clean(text: str, keep: str = "") -> str:
    """Without control characters: no escape sequence reaches a terminal."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs")
                   and c not in keep else c for c in text)


def indented(text: str) -> str:
    """Cleaned; further lines begin with a tab, so none passes for another's."""
    text = text.replace("\r\n", "\n").removesuffix("\n")
    return clean(text, "\t\n").replace("\n", "\n\t")


def cells(char: str) -> int:
    """Columns that a character takes on a terminal: 0, 1 or 2."""
    if "\u1160" <= char <= "\u11ff" or char != "\u00ad" and \
            unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def width(text: str) -> int:
    return sum(map(cells, text))


def fit(text: str, room: int) -> str:
    """As much of a text's beginning as so many columns can show."""
    sums = list(itertools.accumulate(map(cells, text)))
    return text[:bisect_right(sums, room)]


def columns(fd: int) -> int:
    """How wide a terminal is, without its last column."""
    try:
        found = os.get_terminal_size(fd).columns
    except OSError:
        found = 0
    return max((found or 80) - 1, 4)


def reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


# --- the wire ----------------------------------------------------------------

def string(text: Union[str, bytes]) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(2, "big") + data


class Reader:
    """Takes the server's bytes apart; holds no more than one message."""

    def __init__(self) -> None:
        self.pending = bytearray()
        self.left = 0  # of a file's contents

    def messages(self, data: bytes) -> Iterator[tuple]:
        """What is complete with these bytes: (type, field...)."""
        self.pending += data
        while self.pending:
            found = self._contents() if self.left else self._message()
            if not found:
                return
            yield found

    def _contents(self) -> tuple:
        piece = bytes(self.pending[:self.left])
        del self.pending[:len(piece)]
        self.left -= len(piece)
        return CONTENTS, piece

    def _message(self) -> Optional[tuple]:
        kind = self.pending[0]
        if kind not in LAYOUT:
            raise Ended(FAILED, "the server sent what is not BCS "
                        f"(a message of type {kind})")
        fields: list = [kind]
        at = 1
        for field in LAYOUT[kind]:
            begin = at + {"s": 2, "b": 1, "l": 4}[field]
            number = int.from_bytes(self.pending[at:begin], "big")
            at = begin + (number if field == "s" else 0)
            if at > len(self.pending):
                return None
            fields.append(number if field != "s" else
                          self.pending[begin:at].decode(errors="replace"))
        del self.pending[:at]
        if kind == RECVFILE:
            self.left = fields[1]
        return tuple(fields)


# --- requests ----------------------------------------------------------------

class Message:
    """Something to say; every request has what this has."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.name = "the message"
        self.answered = False  # by a status, or by all of a file
        self.refused = False

    def begin(self) -> bytes:
        """What to send; Fault if it cannot be done."""
        return bytes([SEND]) + string(self.text)

    def accepted(self, client: Client) -> None:
        client.view.show(client.user, self.text)

    def finish(self) -> None:
        """It is answered: what is left to do; Fault if that fails."""

    def progress(self) -> str:
        """How far it is; empty where there is nothing to tell."""
        return ""

    def close(self) -> None:
        """Lets go of files; removes what is unfinished."""


class Impossible(Message):
    """A line that is no request; found so when its turn has come."""

    def __init__(self, fault: Fault) -> None:
        super().__init__("")
        self.fault = fault

    def begin(self) -> bytes:
        raise self.fault


class Transfer(Message):
    """What both ways of a file have in common."""

    def __init__(self, path: str) -> None:
        super().__init__("")
        self.path = path
        self.fd = -1
        self.size = self.done = 0
        self.since = time.monotonic()

    def started(self, size: int) -> None:
        self.size, self.since = size, time.monotonic()

    def progress(self) -> str:
        if self.fd < 0:
            return ""
        mib = 1024 * 1024
        rate = self.done / mib / max(time.monotonic() - self.since, 0.001)
        share = self.done * 100 // self.size if self.size else 100
        return (f"{share}%, {self.done / mib:.1f} of {self.size / mib:.1f} "
                f"MiB, {rate:.1f} MiB/s, {clean(self.name)}")

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Upload(Transfer):
    """/send PATH: the Client fetches the contents piece by piece."""

    def begin(self) -> bytes:
        path = os.path.expanduser(self.path)
        try:
            # Else the opening of a pipe would wait for its other end.
            self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as e:
            raise Fault(f"cannot open {self.path}: {reason(e)}", FAILED)
        status = os.fstat(self.fd)
        self.name = os.path.basename(path)
        if not stat.S_ISREG(status.st_mode):
            raise Fault(f"{self.path} is not a regular file", FAILED)
        if status.st_size > FILE_MAX:
            raise Fault(f"{self.path} is larger than {FILE_MAX} bytes", FAILED)
        try:
            name = string(self.name)
        except UnicodeEncodeError:
            raise Fault(f"the name of {self.path} is not UTF-8", FAILED)
        self.started(status.st_size)
        return bytes([SENDFILE]) + name + self.size.to_bytes(4, "big")

    def read(self) -> bytes:
        """The next piece; empty when all was given out."""
        want = min(CHUNK, self.size - self.done)
        try:
            piece = os.read(self.fd, want)
        except OSError as e:
            raise Ended(FAILED, f"cannot read {self.path}: {reason(e)}")
        if want and not piece:
            # Its length is announced: the connection is beyond repair.
            raise Ended(FAILED, f"{self.path} became shorter while it was "
                        "sent; the server dropped it")
        self.done += len(piece)
        return piece

    def accepted(self, client: Client) -> None:
        client.view.tell(f"sent {self.name}, {self.size} bytes")


class Download(Transfer):
    """/get NAME [PATH]: appears as PATH when complete, and never replaces."""

    def __init__(self, name: str, path: str = "") -> None:
        super().__init__(path)
        self.name = name
        self.part = ""
        self.fault: Optional[Fault] = None
        self.received = False  # its beginning, at least

    def begin(self) -> bytes:
        self.path = os.path.expanduser(self.path)
        if not self.path or os.path.isdir(self.path):
            self.path = os.path.join(self.path, self._plain_name())
        if os.path.lexists(self.path):
            raise Fault(f"{self.path} exists already", FAILED)
        folder = os.path.dirname(self.path) or "."
        if not os.access(folder, os.W_OK | os.X_OK):
            raise Fault(f"cannot write to {folder}", FAILED)
        try:
            return bytes([GETFILE]) + string(self.name)
        except (UnicodeEncodeError, OverflowError):
            raise Fault(f"{self.name}: no name of a file")

    def _plain_name(self) -> str:
        if self.name != clean(self.name) or "/" in self.name or \
                not self.name.strip(".") or len(os.fsencode(self.name)) > 255:
            raise Fault(f"{self.name}: no name for a file here; say where: "
                        "/get NAME PATH")
        return self.name

    def receive(self, size: int) -> None:
        self.started(size)
        self.received = True
        folder = os.path.dirname(self.path)
        self.part = os.path.join(folder,
                                 f".bcs-{os.getpid()}-{time.time_ns()}.part")
        try:
            self.fd = os.open(self.part, os.O_WRONLY | os.O_CREAT | os.O_EXCL,
                              0o666)
        except OSError as e:
            self.part = ""
            self._fail(e)

    def write(self, piece: bytes) -> None:
        """Takes contents; after a fault they go nowhere."""
        self.done += len(piece)
        view = memoryview(piece)
        try:
            while view and not self.fault:
                view = view[os.write(self.fd, view):]
        except OSError as e:
            self._fail(e)

    def complete(self) -> bool:
        return self.done == self.size

    def finish(self) -> None:
        if self.refused:
            return
        if not self.received:
            raise Fault(f"the server sent no file {self.name}", FAILED)
        try:
            if not self.fault:
                # This name was free, and is ours before it is replaced.
                os.close(os.open(self.path,
                                 os.O_WRONLY | os.O_CREAT | os.O_EXCL))
                self._replace()
        except OSError as e:
            self._fail(e)
        if self.fault:
            raise self.fault

    def _replace(self) -> None:
        try:
            os.replace(self.part, self.path)
            self.part = ""
        except OSError:
            os.unlink(self.path)
            raise

    def _fail(self, error: OSError) -> None:
        self.fault = Fault(f"cannot write {self.path}: {reason(error)}",
                           FAILED)
        self.close()

    def close(self) -> None:
        super().close()
        if self.part:
            with contextlib.suppress(OSError):
                os.unlink(self.part)
            self.part = ""

    def accepted(self, client: Client) -> None:
        client.view.tell(f"got {self.name} as {self.path}, {self.size} bytes")


def request(line: str) -> Union[Message, str]:
    """What a line asks for: a request, or "/quit" or "/help"."""
    if not line.startswith("/") or line.startswith("//"):
        text = line[1:] if line.startswith("//") else line
        if len(text.encode()) > STRING_MAX:
            raise Fault(f"a message has at most {STRING_MAX} bytes")
        return Message(text)
    try:
        word, *rest = shlex.split(line.replace("\0", "\ufffd"))
    except ValueError as e:
        raise Fault(f"{line.split()[0]}: {str(e).lower()}")
    if word in ("/quit", "/help") and not rest:
        return word
    if word == "/send" and len(rest) == 1:
        return Upload(rest[0])
    if word == "/get" and len(rest) in (1, 2):
        return Download(*rest)
    if word in ("/quit", "/help", "/send", "/get"):
        wrong = "not so many words" if rest else "a word is missing"
        raise Fault(f"{word}: {wrong} (quote names with spaces); see /help")
    raise Fault(f"{word}: no such command; see /help, or say /{word}")


# --- the line that is being typed --------------------------------------------

class Editor:
    """Keys in, lines out: a line with a cursor, and what was typed before."""

    KEY = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\x1b[^\[O]"
                     r"|[^\x00-\x1f\x7f-\x9f]+|.", re.DOTALL)
    UNFINISHED = re.compile(r"\x1b(\[[0-?]*[ -/]*|O)?\Z")
    PASTE, PASTED = "\x1b[200~", "\x1b[201~"
    KEYS = {
        "home": ["\x01", "\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~"],
        "end": ["\x05", "\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~"],
        "left": ["\x02", "\x1b[D", "\x1bOD"],
        "right": ["\x06", "\x1b[C", "\x1bOC"],
        "word_left": ["\x1bb", "\x1b[1;5D", "\x1b[1;3D"],
        "word_right": ["\x1bf", "\x1b[1;5C", "\x1b[1;3C"],
        "rub_out": ["\x7f", "\x08"],
        "delete": ["\x04", "\x1b[3~"],
        "cut_all_before": ["\x15"],
        "cut_all_behind": ["\x0b"],
        "cut_word": ["\x17", "\x1b\x7f"],
        "yank": ["\x19"],
        "older": ["\x10", "\x1b[A", "\x1bOA"],
        "newer": ["\x0e", "\x1b[B", "\x1bOB"],
        "complete": ["\t"],
    }
    ESCAPE_TIME = 0.1  # seconds; Escape and a later key are no sequence

    def __init__(self) -> None:
        self.text = ""
        self.at = 0       # the cursor, in characters
        self.first = 0    # the leftmost character shown
        self.ended = False
        self.past: list[str] = []
        self.back = 0     # so many lines back in the past; 0: a new one
        self.draft = ""
        self.cut = ""
        self.pasting = False
        self.unfinished = ""
        self.fed = 0.0    # when
        self.action: dict[str, Callable[[], None]] = {
            key: getattr(self, name)
            for name, keys in self.KEYS.items() for key in keys}

    def feed(self, typed: str) -> list[str]:
        """Takes what was typed; returns the lines that were ended."""
        now = time.monotonic()
        if self.unfinished != "\x1b" or now - self.fed < self.ESCAPE_TIME:
            typed = self.unfinished + typed
        self.fed = now
        unfinished = self.UNFINISHED.search(typed)
        self.unfinished = unfinished.group() if unfinished else ""
        if unfinished:
            typed = typed[:unfinished.start()]
        lines = []
        for key in self.KEY.findall(typed):
            if key == "\n" and not self.pasting:
                lines.append(self.enter())
            else:
                self.press(key)
        return lines

    def press(self, key: str) -> None:
        if key in (self.PASTE, self.PASTED):
            self.pasting = key == self.PASTE
        elif unicodedata.category(key[0]) != "Cc" or \
                self.pasting and key in "\t\n":
            self.insert(key)
        elif key == "\x04" and not self.text:
            self.ended = True
        elif key in self.action and not self.pasting:
            self.action[key]()

    def enter(self) -> str:
        line = self.text
        if line and (not self.past or self.past[-1] != line):
            self.past.append(line)
        self.back, self.draft = 0, ""
        self.set("")
        return line

    def set(self, text: str) -> None:
        self.text, self.at, self.first = text, len(text), 0

    def insert(self, text: str) -> None:
        self.text = self.text[:self.at] + text + self.text[self.at:]
        self.at += len(text)

    def remove(self, begin: int, end: int) -> str:
        gone = self.text[begin:end]
        self.text = self.text[:begin] + self.text[end:]
        self.at = begin
        return gone

    def before(self, at: int) -> int:
        """One character back, with the marks that belong to it."""
        at -= 1
        while at > 0 and not cells(self.text[at]):
            at -= 1
        return max(at, 0)

    def behind(self, at: int) -> int:
        at += 1
        while at < len(self.text) and not cells(self.text[at]):
            at += 1
        return min(at, len(self.text))

    def home(self) -> None:
        self.at = 0

    def end(self) -> None:
        self.at = len(self.text)

    def left(self) -> None:
        self.at = self.before(self.at)

    def right(self) -> None:
        self.at = self.behind(self.at)

    def word_left(self) -> None:
        words = re.search(r"\S*\s*\Z", self.text[:self.at])
        self.at = words.start() if words else 0

    def word_right(self) -> None:
        words = re.compile(r"\s*\S*").match(self.text, self.at)
        self.at = words.end() if words else self.at

    def rub_out(self) -> None:
        self.remove(self.before(self.at), self.at)

    def delete(self) -> None:
        self.remove(self.at, self.behind(self.at))

    def cut_all_before(self) -> None:
        self.cut = self.remove(0, self.at)

    def cut_all_behind(self) -> None:
        self.cut = self.remove(self.at, len(self.text))

    def cut_word(self) -> None:
        end = self.at
        self.word_left()
        self.cut = self.remove(self.at, end)

    def yank(self) -> None:
        self.insert(self.cut)

    def older(self) -> None:
        self._go(self.back + 1)

    def newer(self) -> None:
        self._go(self.back - 1)

    def _go(self, back: int) -> None:
        if not 0 <= back <= len(self.past):
            return
        if not self.back:
            self.draft = self.text
        self.back = back
        self.set(self.past[-back] if back else self.draft)

    def complete(self) -> None:
        """Tab behind "/send PART": as much of a path as is certain."""
        line = re.fullmatch(r"/send (\S.*)", self.text[:self.at])
        if not line or re.search(r"['\"]", line[1]):
            return
        part = re.sub(r"\\(.)", r"\1", line[1])
        paths = glob.glob(glob.escape(os.path.expanduser(part)) + "*")
        more = os.path.commonprefix(paths)[len(os.path.expanduser(part)):]
        if len(paths) == 1 and os.path.isdir(paths[0]):
            more += "/"
        if more.isprintable():
            self.insert(re.sub(r"([\s\\'\"])", r"\\\1", more))

    def window(self, room: int) -> tuple[str, int]:
        """What of the line is shown in so many columns; the cursor's one."""
        shown = self.text.translate({10: "\u23ce", 9: " "})
        sums = list(itertools.accumulate(map(cells, shown), initial=0))
        if self.at <= self.first:
            self.first = bisect_left(sums, sums[self.at] - room // 2)
        elif sums[self.at] - sums[self.first] >= room:
            self.first = bisect_left(sums, sums[self.at] - room + 1)
        # No room is left unused.
        self.first = min(self.first, bisect_left(sums, sums[-1] - room + 1))
        last = bisect_right(sums, sums[self.first] + room) - 1
        return shown[self.first:last], sums[self.at] - sums[self.first]


# --- what is read and shown --------------------------------------------------

def write_all(fd: int, text: str) -> None:
    data = memoryview(text.encode(errors="replace"))
    while data:
        try:
            data = data[os.write(fd, data):]
        except BlockingIOError:  # somebody made it so; they share it with us
            with selectors.PollSelector() as poll:
                poll.register(fd, selectors.EVENT_WRITE)
                poll.select()


def complain(text: str) -> None:
    """To standard error, if there is one."""
    try:
        write_all(2, text)
    except OSError:
        pass


class Pipe:
    """Lines from standard input, whatever it is; nothing is drawn."""

    interactive = False

    def __init__(self) -> None:
        self.ended = False
        self.pending = b""
        self.number = 0         # of the line
        self.skipping = False   # what is left of a line that is too long
        self.drawn = False      # progress stands on the terminal
        self.draws = os.isatty(2)

    def enter(self) -> None:
        """From now on lines are read."""

    def leave(self) -> None:
        self.draw("")

    def show(self, name: str, text: str) -> None:
        """Somebody says something."""
        self.draw("")
        try:
            write_all(1, f"{clean(name)}: {indented(text)}\n")
        except BrokenPipeError:
            raise Ended(128 + signal.SIGPIPE)
        except OSError as e:
            raise Ended(FAILED, f"standard output: {reason(e)}")

    def note(self, text: str) -> None:
        """Something to be known by whoever runs this."""
        self.draw("")
        complain(f"bcs_client.py: {indented(text)}\n")

    def tell(self, text: str) -> None:
        """Something to be known by a person only."""
        if self.draws:
            self.note(text)

    def draw(self, progress: str) -> None:
        if self.draws and (progress or self.drawn):
            complain(f"\r{fit(progress, columns(2))}\x1b[K")
            self.drawn = bool(progress)

    def read(self) -> list[Union[str, Fault]]:
        """What was entered, as lines; Fault for one that is none."""
        try:
            data = os.read(0, CHUNK)
        except OSError as e:
            self.ended = True
            return [Fault(f"standard input: {reason(e)}", FAILED)]
        self.ended = not data
        *lines, self.pending = (self.pending + data).split(b"\n")
        if self.ended and self.pending:
            lines.append(self.pending)
        found = [self._line(line) for line in lines]
        if len(self.pending) > STRING_MAX + 2 and not self.skipping:
            self.skipping = True
            found.append(self._too_long(self.number + 1))
        if self.skipping:
            self.pending = b""
        return [line for line in found if line]

    def _line(self, line: bytes) -> Union[str, Fault]:
        self.number += 1
        if self.skipping:
            self.skipping = False
            return ""
        line = line.removesuffix(b"\r")
        if len(line) > STRING_MAX + line.startswith(b"//"):
            return self._too_long(self.number)
        try:
            return line.decode()
        except UnicodeDecodeError:
            return Fault(f"line {self.number} is not UTF-8")

    def _too_long(self, number: int) -> Fault:
        return Fault(f"line {number} is too long: a message has at most "
                     f"{STRING_MAX} bytes")


class Terminal(Pipe):
    """The bottom line is being typed; everything else goes above it."""

    interactive = True

    def __init__(self, user: str) -> None:
        super().__init__()
        self.user = clean(user)
        self.editor = Editor()
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.saved: Optional[list] = None
        self.progress = ""
        self.column = 0  # where the cursor was put
        # Most terminals wrap what is there when they become narrower.
        self.wraps = not os.environ.keys() & {"XTERM_VERSION", "STY"} \
            or "TMUX" in os.environ

    def enter(self) -> None:
        if self.saved is None:
            self.saved = termios.tcgetattr(0)
        mode = [*self.saved[:6], list(self.saved[6])]
        mode[3] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(0, termios.TCSADRAIN, mode)
        up = self.column // (columns(1) + 1) if self.wraps else 0
        write_all(1, "\x1b[?2004h" + "\x1b[A" * up + self.line())

    def leave(self) -> None:
        """The terminal as it was; a line being typed stays to be seen."""
        if self.saved is None:
            return
        saved, self.saved = self.saved, None
        if os.tcgetpgrp(0) != os.getpgrp():
            return  # it is another's by now; and touching it would stop us
        termios.tcsetattr(0, termios.TCSADRAIN, saved)
        end = "\r\n" if self.editor.text else "\r\x1b[J"
        write_all(1, end + "\x1b[?2004l")
        self.column = 0

    def show(self, name: str, text: str) -> None:
        write_all(1, f"\r\x1b[J{clean(name)}: {indented(text)}\n{self.line()}")

    def note(self, text: str) -> None:
        write_all(1, "\r\x1b[J")
        complain(f"* {indented(text)}\n")
        self.draw(self.progress)

    def tell(self, text: str) -> None:
        self.note(text)

    def draw(self, progress: str) -> None:
        self.progress = progress
        write_all(1, self.line())

    def line(self) -> str:
        """Draws the line being typed; never into the last column."""
        if self.saved is None:
            return ""
        room = columns(1)
        prompt = fit(self.progress or self.user, room * 2 // 3 - 2) + "> "
        text, column = self.editor.window(room - width(prompt))
        self.column = column + width(prompt)
        return f"\r{prompt}{text}\x1b[J\r\x1b[{self.column}C"

    def read(self) -> list[Union[str, Fault]]:
        try:
            data = os.read(0, CHUNK)
        except OSError:  # it was hung up
            data = b""
        typed = self.decoder.decode(data)
        if "\x0c" in typed:
            write_all(1, "\x1b[H\x1b[2J")
        lines = self.editor.feed(typed)
        self.ended = not data or self.editor.ended
        self.draw(self.progress)
        return [line for line in lines if line]


# --- the client --------------------------------------------------------------

class Signals:
    """Deadly ones are raised as Ended; the others come out of a socket."""

    DEADLY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    TERMINAL = (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)

    def __init__(self) -> None:
        self.out, self.into = socket.socketpair()
        self.out.setblocking(False)
        self.into.setblocking(False)
        signal.set_wakeup_fd(self.into.fileno(), warn_on_full_buffer=False)
        for number in self.DEADLY:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup, say
                signal.signal(number, self._deadly)

    def _deadly(self, number: int, _: object) -> NoReturn:
        self.ignore()
        raise Ended(128 + number)

    def ignore(self) -> None:
        """While things are tidied up."""
        for number in self.DEADLY:
            signal.signal(number, signal.SIG_IGN)

    def watch_terminal(self) -> None:
        for number in self.TERMINAL:
            signal.signal(number, lambda *_: None)

    def came(self) -> set[int]:
        return set(self.out.recv(4096))

    def suspend(self) -> None:
        """As Ctrl-Z does to others; returns when continued."""
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, lambda *_: None)


class Client:
    """A session: the socket, the queue of requests, and the loop."""

    OK = bytes([STATUS, 0, 0, 0])

    def __init__(self, sock: socket.socket, user: str, view: Pipe,
                 stay: bool) -> None:
        self.sock, self.user, self.view, self.stay = sock, user, view, stay
        self.reader = Reader()
        self.queue: deque[Message] = deque()
        self.current: Optional[Message] = None
        self.registered = False
        self.leaving = False            # nothing more is read
        self.upload: Optional[Upload] = None  # its contents are going out
        self.out = bytearray(bytes([REGISTER]) + string(user))
        self.later = bytearray()        # goes out behind the upload
        self.broken = False             # the server takes nothing any more
        self.begun = time.monotonic()   # the registration, or current
        self.drawn = 0.0                # progress, last
        self.selector = selectors.PollSelector()
        self.act = {DELIVER: self.deliver, STATUS: self.status,
                    FNOTIFY: self.fnotify, RECVFILE: self.recvfile,
                    CONTENTS: self.contents}

    def run(self, signals: Signals) -> NoReturn:
        self.sock.setblocking(False)
        self.selector.register(signals.out, selectors.EVENT_READ,
                               lambda _: self.signalled(signals))
        if self.view.interactive:
            signals.watch_terminal()
        try:
            while True:
                self.proceed()
                self.wait()
        finally:
            signals.ignore()
            if self.current:
                self.current.close()
            try:
                self.view.leave()
            except (OSError, termios.error):
                pass  # it is gone

    # Waiting.

    def wait(self) -> None:
        self.interest(self.sock, self.wanted(), self.talk)
        reads = self.registered and not self.leaving and \
            (self.view.interactive or len(self.queue) < QUEUE_MAX)
        self.interest(0, selectors.EVENT_READ if reads else 0, self.typed)
        for key, events in self.selector.select(self.patience()):
            key.data(events)
        self.tick()

    def wanted(self) -> int:
        """What the socket is watched for."""
        if (self.out or self.upload) and not self.broken:
            full = len(self.out) + len(self.later) > OUT_MAX
            return selectors.EVENT_WRITE | (0 if full else
                                            selectors.EVENT_READ)
        return selectors.EVENT_READ

    def interest(self, what: Union[int, socket.socket], events: int,
                 act: Callable[[int], None]) -> None:
        known = what in self.selector.get_map()
        if known and not events:
            self.selector.unregister(what)
        elif known:
            self.selector.modify(what, events, act)
        elif events:
            self.selector.register(what, events, act)

    def patience(self) -> Optional[float]:
        if not self.registered:
            return max(self.begun + CONNECT_TIME - time.monotonic(), 0)
        return 0.25 if self.current else None

    def tick(self) -> None:
        """What time brings: the end of patience, and progress."""
        now = time.monotonic()
        if not self.registered and now - self.begun >= CONNECT_TIME:
            raise Ended(FAILED, "the server does not answer")
        if not self.current or now - self.drawn < 0.2:
            return
        self.drawn = now
        progress = self.current.progress()
        if not progress and self.view.interactive and now - self.begun > 1:
            progress = "(waiting for the server)"
        self.view.draw(progress)

    def signalled(self, signals: Signals) -> None:
        came = signals.came()
        if signal.SIGTSTP in came:
            self.view.leave()
            signals.suspend()
        if self.registered and came & set(signals.TERMINAL):
            self.view.enter()

    # Requests.

    def typed(self, _: int) -> None:
        for line in self.view.read():
            if not self.leaving:
                self.take(line)
        if self.view.ended:
            self.leaving = True
        if self.leaving and self.queue and self.view.interactive:
            self.view.note("leaving when the server has answered; Ctrl-C "
                           "leaves at once")

    def take(self, line: Union[str, Fault]) -> None:
        try:
            if isinstance(line, Fault):
                raise line
            asked = request(line)
        except Fault as e:
            if self.view.interactive or self.stay:
                self.view.note(str(e))
                return
            # What stands before it is still to be sent.
            asked, self.leaving = Impossible(e), True
        if asked == "/quit":
            self.leaving = True
        elif asked == "/help":
            for line in HELP.splitlines():
                self.view.note(line)
        elif isinstance(asked, Message):
            self.queue.append(asked)

    def proceed(self) -> None:
        """Begins the next request, or ends when there is none to come."""
        while self.registered and not self.current and self.queue:
            self.begin(self.queue.popleft())
        if self.leaving and not self.current and not self.out:
            raise Ended(0)

    def begin(self, asked: Message) -> None:
        try:
            data = asked.begin()
        except Fault as e:
            asked.close()
            self.fault(e)
            return
        self.current, self.begun = asked, time.monotonic()
        self.out += data
        if isinstance(asked, Upload):
            self.upload = asked

    def fault(self, fault: Fault) -> None:
        """A person is told; a pipe without --stay ends here."""
        if not self.view.interactive and not self.stay:
            raise Ended(fault.code, str(fault))
        self.view.note(str(fault))

    def settle(self) -> None:
        """The current request is done when answered, and all of it sent."""
        done = self.current
        if not done or not done.answered or self.upload:
            return
        self.current = None
        self.view.draw("")
        try:
            done.finish()
            if not done.refused:
                done.accepted(self)
        except Fault as e:
            self.fault(e)
        finally:
            done.close()

    # The socket.

    def talk(self, events: int) -> None:
        if events & ~selectors.EVENT_WRITE:
            self.receive()
        if events & selectors.EVENT_WRITE:
            self.transmit()

    def receive(self) -> None:
        try:
            data = self.sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError as e:
            raise Ended(FAILED, self.lost(f"lost the server: {reason(e)}"))
        if not data:
            raise Ended(FAILED, self.lost("the server closed the connection"))
        for kind, *fields in self.reader.messages(data):
            self.act[kind](*fields)

    def lost(self, text: str) -> str:
        if not self.current:
            return text
        return f"{text}; it had not answered to {self.current.name}"

    def transmit(self) -> None:
        if not self.out and self.upload:
            self.out += self.upload.read()
            if self.upload.done == self.upload.size:
                self.out += self.later
                self.later.clear()
                self.upload = None
                self.settle()
        try:
            del self.out[:self.sock.send(self.out[:CHUNK])]
        except BlockingIOError:
            pass
        except OSError:
            # It may have said why: what it sent is still to be read.
            self.broken = True
            self.out.clear()

    def post(self, data: bytes) -> None:
        self.out += b"" if self.upload else data
        self.later += data if self.upload else b""

    # What the server says.

    def deliver(self, name: str, text: str) -> None:
        self.view.show(name, text)
        self.post(self.OK)

    def fnotify(self, user: str, file: str) -> None:
        self.view.show("server", f"{user} has uploaded {file} to the server")

    def status(self, code: int, text: str) -> None:
        if code:
            self.refuse(code, text)
        elif not self.registered:
            self.registered = True
            self.view.enter()
            return
        if self.current:
            self.current.answered = True
            self.current.refused = code != 0
            self.settle()

    def refuse(self, code: int, text: str) -> None:
        """Tells of a status that is not 0, and ends unless told to stay."""
        said = f"{text or 'no reason given'} (status {code})"
        if not self.registered:
            said = f"the server refuses {self.user}: {said}"
        elif self.current and code not in (PROTOCOL_ERROR, TIMED_OUT):
            said = f"the server refuses {self.current.name}: {said}"
        else:
            said = f"the server says: {said}"
        if not self.stay or not self.registered or \
                code in (PROTOCOL_ERROR, TIMED_OUT):
            raise Ended(code, said)
        self.view.note(said)

    def recvfile(self, size: int) -> None:
        if not isinstance(self.current, Download) or self.current.received:
            raise Ended(FAILED, "the server sent a file nobody asked for")
        self.current.receive(size)
        self.contents(b"")

    def contents(self, piece: bytes) -> None:
        if isinstance(self.current, Download):
            self.current.write(piece)
            self.current.answered = self.current.complete()
            self.settle()


# --- the command line --------------------------------------------------------

class Parser(argparse.ArgumentParser):
    """Wrong usage has the exit status it has in our other programs."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def port(text: str) -> int:
    number = int(text) if re.fullmatch("[0-9]{1,5}", text) else 0
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text}: not a port, 1 to 65535")
    return number


def user_name(text: str) -> str:
    try:
        string(text)
    except (UnicodeEncodeError, OverflowError):
        raise argparse.ArgumentTypeError("not a name in UTF-8")
    return text


def arguments() -> argparse.Namespace:
    parser = Parser(prog="bcs_client.py", add_help=False, allow_abbrev=False,
                    formatter_class=argparse.RawDescriptionHelpFormatter,
                    description="Talk to others through a BCS server.",
                    epilog="Lines that are typed, or come from a pipe:\n" +
                    re.sub("^", "  ", HELP, flags=re.MULTILINE))
    parser.add_argument("-h", "--host", default="localhost",
                        help="the server (localhost)")
    parser.add_argument("-p", "--port", type=port, default=4000,
                        help="its port (4000)")
    parser.add_argument("-u", "--user", type=user_name, required=True,
                        help="your name there")
    parser.add_argument("--stay", action="store_true",
                        help="go on after what the server refuses")
    parser.add_argument("--help", action="help", help="this text")
    parser.add_argument("--version", action="version",
                        version=f"%(prog)s (parlance) {VERSION}")
    return parser.parse_args()


def connect(host: str, number: int) -> socket.socket:
    try:
        sock = socket.create_connection(
            (host.removeprefix("[").removesuffix("]"), number), CONNECT_TIME)
    except (OSError, UnicodeError) as e:
        raise Ended(FAILED, f"cannot reach {host} port {number}: {reason(e)}")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


def view_for(user: str) -> Pipe:
    if os.isatty(0) and os.isatty(1) and \
            os.environ.get("TERM", "dumb") != "dumb":
        return Terminal(user)
    return Pipe()


def main() -> int:
    while os.open(os.devnull, os.O_RDWR) <= 2:
        pass  # a socket may not become one of the three
    options = arguments()
    signals = Signals()
    try:
        sock = connect(options.host, options.port)
        Client(sock, options.user, view_for(options.user),
               options.stay).run(signals)
    except Ended as e:
        signals.ignore()
        if e.text:
            complain(f"bcs_client.py: {indented(e.text)}\n")
        return e.code
    except (OSError, termios.error) as e:
        signals.ignore()
        complain(f"bcs_client.py: {reason(e)}\n")
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
