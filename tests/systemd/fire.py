#!/usr/bin/env python3
"""fire.py COMMAND...: people talk and listen at a running parlance, on this
machine's usual addresses, while the commands (the shell's) run, each once all
who talk were acknowledged anew. Nothing acknowledged may be lost, and who comes
back when his connection ended misses nothing.
"""
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time

from inside import HCHAT, PATIENCE, Text, web


class Fire:
    """Two who talk, two who listen, all of whom come back when they must."""

    def __init__(self):
        self.over = threading.Event()
        self.last_word = "the end of %d" % os.getpid()
        self.acknowledged = []
        self.seen = {"events": {}, "polls": {}}
        self.returns = 0
        self.trouble = []
        self.first = int(web("GET", "/chat/lobby")[1].get("Chat-Last", 0)) + 1

    def again(self, act, until):
        while not until():
            try:
                act()
            except (OSError, http.client.HTTPException):
                self.returns += 1
                time.sleep(0.02)
            except Exception as e:  # pylint: disable=broad-except
                self.trouble.append(repr(e))
                return

    def say(self, text):
        status, fields, _ = web("POST", "/send/lobby", text)
        if status == 200:
            self.acknowledged.append((int(fields["Chat-Message"]), text))

    def talk_web(self):
        self.say("web %d %d" % (os.getpid(), len(self.acknowledged)))
        time.sleep(0.02)

    def talk_text(self):
        t = Text()
        try:
            if t.ask("login alice secret") != "success":
                return
            while not self.over.is_set():
                text = "text %d %d" % (os.getpid(), len(self.acknowledged))
                answer = t.ask("send * " + text)
                # Else somebody else took the conversation up.
                assert answer != "error must be logged in"
                if answer == "success":
                    self.acknowledged.append((None, text))
                time.sleep(0.02)
        finally:
            t.close()

    def last(self, kind):
        return max(self.seen[kind], default=self.first - 1)

    def hear(self, kind, number, text):
        assert number == self.last(kind) + 1, (kind, number, self.last(kind))
        self.seen[kind][number] = text

    def done(self, kind):
        return self.seen[kind].get(self.last(kind)) == self.last_word

    def listen_events(self):
        s = socket.create_connection(("127.0.0.1", HCHAT), PATIENCE)
        s.settimeout(PATIENCE)
        s.sendall(("GET /events/lobby?from=%d HTTP/1.1\r\nHost: x\r\n\r\n" %
                   (self.last("events") + 1)).encode())
        rest = b""
        try:
            while not self.done("events"):
                more = s.recv(65536)
                if not more:
                    raise ConnectionResetError
                *lines, rest = (rest + more).split(b"\n")
                for line in lines:
                    if not line.startswith(b"data: {\"number\""):
                        continue
                    record = json.loads(line[len("data: "):])
                    self.hear("events", record["number"], record["text"])
        finally:
            s.close()

    def listen_polls(self):
        number = self.last("polls") + 1
        status, _, body = web("GET", "/msg/lobby/%d" % number)
        if status == 200:
            self.hear("polls", number, body.decode())

    def run(self, commands):
        talkers, listeners = [
            [threading.Thread(target=self.again, args=a, daemon=True)
             for a in acts] for acts in (
                 [(self.talk_web, self.over.is_set),
                  (self.talk_text, self.over.is_set)],
                 [(self.listen_events, lambda: self.done("events")),
                  (self.listen_polls, lambda: self.done("polls"))])]
        for act in talkers + listeners:
            act.start()
        for command in commands:
            self.grow(4)
            begin = time.monotonic()
            subprocess.run(command, shell=True, check=True)
            print("%.1f s: %s" % (time.monotonic() - begin, command))
        self.grow(4)
        self.over.set()
        for act in talkers:
            act.join(PATIENCE)
        said = len(self.acknowledged)
        self.again(lambda: self.say(self.last_word),
                   lambda: len(self.acknowledged) > said)
        for act in listeners:
            act.join(2 * PATIENCE)

    def grow(self, count):
        """Waits until so many more were acknowledged, at each door."""
        begin = time.monotonic()
        for door in "web", "text":
            def said():
                return sum(t.startswith(door) for _, t in self.acknowledged)
            before = said()
            while said() < before + count:
                assert time.monotonic() < begin + 2 * PATIENCE, (
                    door, self.trouble)
                assert not self.trouble, self.trouble
                time.sleep(0.02)
        print("%.1f s until all were heard" % (time.monotonic() - begin))

    def judge(self):
        assert not self.trouble, self.trouble
        assert self.seen["events"] == self.seen["polls"], "they differ"
        heard = list(self.seen["events"].values())
        for number, text in self.acknowledged:
            assert text in heard, ("lost", text)
            assert not number or self.seen["polls"][number] == text, text
        print("acknowledged %d, heard %d, came back %d times" %
              (len(self.acknowledged), len(heard), self.returns))


fire = Fire()
fire.run(sys.argv[1:])
fire.judge()
