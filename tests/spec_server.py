#!/usr/bin/env python3
"""The minimal server of specs/chatfile.txt, and some that misbehave.

    spec_server.py DIR [--keys] [--length] [--wait] [--port N]
                   [--tls CERT KEY]

Serves DIR/rooms/NAME.txt on 127.0.0.1, a free port by default, which it writes to
DIR/port; logs a line a request to DIR/log. By default it is as bare as the
spec's: no Content-Length, connection closed, unknown fields ignored. --keys:
Idempotency-Key; --length: Content-Length and Content-Range; --wait: Prefer.

Each line of DIR/plan is used up by one request that posts or asks, and tells
what to do instead of behaving:

    ok             behave
    STATUS         answer with it, nothing stored (3 digits)
    drop           close without an answer, nothing stored
    lost           store, then close without an answer
    lost-run CMD   store, run CMD, close without an answer
    kept STATUS    store, answer with STATUS
    cut            store, close in the middle of the answer
    cut-line       the same, at a line's end in it
    long           store, say a Content-Length that is too large
    short          store, say one that is too small
    range          store, say a Content-Range that does not fit
    garbage        bytes that are no HTTP
    early          answer 206 and close before reading the request
    hang           store, and say nothing until the client goes
    run CMD        store, run a shell command, then answer
    before CMD     run a shell command, then behave
"""
import argparse
import base64
import os
import re
import socket
import ssl
import subprocess
import threading

LOCK = threading.Lock()
CHANGED = threading.Condition(LOCK)


class Server:
    def __init__(self, args):
        self.dir = args.dir
        self.keys, self.length, self.wait = args.keys, args.length, args.wait
        self.count = 0
        self.tls = None
        if args.tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*args.tls)

    def plan(self):
        try:
            with open(self.dir + '/plan', encoding='utf-8') as f:
                lines = f.read().splitlines()
        except FileNotFoundError:
            return 'ok'
        if not lines:
            return 'ok'
        with open(self.dir + '/plan', 'w', encoding='utf-8') as f:
            f.write(''.join(line + '\n' for line in lines[1:]))
        return lines[0]

    def log(self, line):
        with open(self.dir + '/log', 'a', encoding='utf-8') as f:
            f.write(line + '\n')

    # The room: text, and where each record begins, as (begin, end, footer).

    def read(self, room):
        try:
            with open(self.dir + '/rooms/' + room, 'rb') as f:
                return f.read()
        except FileNotFoundError:
            return b''

    def replay(self, data, offset, user, key):
        """The answer to a key that stands behind offset, or None."""
        begin = at = offset
        for line in data[offset:].splitlines(keepends=True):
            at += len(line)
            if not line.startswith(b'\\') or line.startswith(b'\\\\'):
                continue
            words = line.split()
            if words[0] == b'\\' + user and b'key=' + key in words:
                return begin, at, line
            begin = at
        return None

    def store(self, req):
        """Appends what is to be appended; returns (status, body, size)."""
        room, offset, body = req['room'], req['offset'], req['body']
        user, key = req['user'], req['key'] if self.keys else None
        data = self.read(room)
        if offset > len(data):
            return 416, b'', len(data)
        if not body:
            return 206, data[offset:], len(data)
        for line in body.split(b'\n'):
            if line.startswith(b'\\') and not line.startswith(b'\\\\'):
                return 400, b'no\n', len(data)
        newline = b'' if body.endswith(b'\n') else b'\n'
        found = key and self.replay(data, offset, user, key)
        if found:
            begin, end, footer = found
            if data[begin:end] != body + newline + footer:
                return 409, b'another text\n', len(data)
            return (206, newline + footer + data[offset:begin] + data[end:],
                    len(data))
        self.count += 1
        footer = b'\\%s @ 2026-11-21T00:00:%02dZ' % (user, self.count % 60)
        if key:
            footer += b' chatfile key=' + key
        footer += b'\n'
        with open(self.dir + '/rooms/' + room, 'ab') as f:
            f.write(body + newline + footer)
        CHANGED.notify_all()
        return (206, newline + footer + data[offset:],
                len(data) + len(body + newline + footer))

    def answer(self, req, status, body, size, plan):
        head = b'HTTP/1.1 %d %s\r\n' % (
            status, b'Partial Content' if status == 206 else b'Other')
        length, begin = len(body), req['offset'] + len(req['body'])
        if plan == 'long':
            length += 10
        if plan == 'short':
            length -= 3
        if plan == 'range':
            begin += 1
        if status == 401:
            head += b'WWW-Authenticate: Basic realm="x"\r\n'
        if status // 100 == 3:
            head += b'Location: https://example.org/rooms/lobby.txt\x1b[2J\r\n'
        if self.length or plan in ('long', 'short', 'range'):
            head += b'Content-Length: %d\r\n' % length
            if body and status == 206 and plan not in ('long', 'short'):
                head += b'Content-Range: bytes %d-%d/%d\r\n' % (
                    begin, begin + len(body) - 1, size)
        if plan == 'cut':
            body = body[:len(body) // 2]
        if plan == 'cut-line':
            body = body[:body.index(b'\n')]
        return head + b'\r\n' + body

    def handle(self, conn):
        with LOCK:
            plan = self.plan()
        if plan == 'early':
            conn.sendall(b'HTTP/1.1 206 Partial Content\r\n\r\n')
            return
        req = read_request(conn)
        if req is None:
            return
        word, _, rest = plan.partition(' ')
        with LOCK:
            self.log('%s offset=%d body=%d key=%s wait=%s plan=%s' % (
                req['room'], req['offset'], len(req['body']),
                (req['key'] or b'-').decode(), req['wait'], plan))
        if word == 'drop':
            return
        if word == 'garbage':
            conn.sendall(b'\x00\xffnonsense\r\n\r\n' * 10)
            return
        if word.isdigit():
            conn.sendall(self.answer(req, int(word), b'said so\n', 0, ''))
            return
        if word == 'before':
            subprocess.run(rest, shell=True, check=True)
        with LOCK:
            if self.wait and req['wait'] and not req['body']:
                CHANGED.wait_for(
                    lambda: len(self.read(req['room'])) > req['offset'],
                    req['wait'])
            status, body, size = self.store(req)
        if word == 'hang':
            conn.recv(1)
        if word in ('run', 'lost-run'):
            subprocess.run(rest, shell=True, check=True)
        if word == 'kept':
            status, body = int(rest), b'said so\n'
        if word not in ('lost', 'hang', 'lost-run'):
            conn.sendall(self.answer(req, status, body, size, word))

    def wrapped(self, conn):
        return self.tls.wrap_socket(conn, True) if self.tls else conn

    def serve(self, conn):
        try:
            with self.wrapped(conn) as conn:
                conn.settimeout(120)
                self.handle(conn)
                conn.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def read_request(conn):
    data = b''
    while b'\r\n\r\n' not in data:
        more = conn.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b'\r\n\r\n')
    fields = {}
    for line in head.split(b'\r\n')[1:]:
        name, _, value = line.partition(b':')
        fields[name.strip().lower()] = value.strip()
    length = int(fields.get(b'content-length', b'0'))
    while len(body) < length:
        more = conn.recv(65536)
        if not more:
            return None
        body += more
    login = base64.b64decode(fields.get(b'authorization', b'Basic ')[6:])
    wait = re.search(rb'wait=(\d+)', fields.get(b'prefer', b''))
    return {
        'room': head.split(b' ')[1].decode().rsplit('/', 1)[1],
        'offset': int(re.match(rb'bytes=(\d+)-', fields[b'range']).group(1)),
        'user': login.split(b':')[0],
        'key': fields.get(b'idempotency-key'),
        'wait': int(wait.group(1)) if wait else 0,
        'body': body,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('dir')
    for flag in ('--keys', '--length', '--wait'):
        parser.add_argument(flag, action='store_true')
    parser.add_argument('--tls', nargs=2)
    parser.add_argument('--port', type=int, default=0)
    args = parser.parse_args()
    server = Server(args)
    os.makedirs(args.dir + '/rooms', exist_ok=True)
    listener = socket.create_server(('127.0.0.1', args.port), backlog=64)
    with open(args.dir + '/port.new', 'w', encoding='utf-8') as f:
        f.write(str(listener.getsockname()[1]))
    os.rename(args.dir + '/port.new', args.dir + '/port')
    while True:
        conn, _ = listener.accept()
        threading.Thread(
            target=server.serve, args=(conn,), daemon=True).start()


if __name__ == '__main__':
    main()
